"""Addresses are read in one way, and only public ones may be asked without being named."""

from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from widgets_app.errors import DefinitionError, SourceFailed
from widgets_app.sources.address import Address, check_listed, host_of, is_public, parse


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com", Address("https", "api.example.com", 443, "/")),
        ("HTTP://API.Example.com:8080/a/b?c=d#e", Address("http", "api.example.com", 8080, "/a/b?c=d")),
        ("http://[::1]:80/", Address("http", "::1", 80, "/")),
        ("http://[0:0::0:1]/", Address("http", "::1", 80, "/")),
        ("https://bücher.example/ä b%20c?q=%2F+ö", Address("https", "xn--bcher-kva.example", 443, "/%C3%A4%20b%20c?q=%2F+%C3%B6")),
        ("http://2130706433", Address("http", "2130706433", 80, "/")),
        (" http://a.example/ ", Address("http", "a.example", 80, "/")),
    ],
)  # fmt: skip
def test_a_url_is_read(url: str, expected: Address):
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://a.example/", "start with http"),
        ("file:///etc/passwd", "start with http"),
        ("//a.example/", "start with http"),
        ("a.example", "start with http"),
        ("", "start with http"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://:80/", "names no host"),
        ("http://ana:hush-hush@a.example/", "user name or a password"),
        ("http://hush-hush@a.example/", "user name or a password"),
        ("http://a.example\\@b.example/", "user name or a password"),
        ("http://a.example:port/", "port or a host"),
        ("http://a.example:99999/", "port or a host"),
        ("http://[::1/", "port or a host"),
        ("http://a.example/\r\nX-Key: hush-hush", "line breaks"),
        ("http://a.exa\tmple/", "line breaks"),
        ("http://a b.example/", "A host is"),
        ("http://a%2eexample/", "A host is"),
        ("http://b.example\\.a.example/", "A host is"),
        ("http://[fe80::1%25eth0]/", "A host is"),
        ("http://[::zz]/", "."),
    ],
)
def test_a_url_that_cannot_be_used_says_why_without_repeating_it(url: str, reason: str):
    with pytest.raises(DefinitionError, match=reason) as raised:
        parse(url)
    assert "hush-hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b?c", "http://a.example:81/b?c"),
        ("b", "http://a.example:81/x/b"),
        ("//b.example/c", "http://b.example/c"),
        ("https://b.example", "https://b.example/"),
        ("../../../b", "http://a.example:81/b"),
    ],
)
def test_a_redirect_is_read_beside_where_it_came_from(location: str, url: str):
    assert parse("http://a.example:81/x/y?z").joined(location).url == url


@pytest.mark.parametrize(
    "location", ["ftp://b.example/", "http://[::1", "http://u:p@b.example/", "javascript:1", "/b\r\nX: 1"]
)
def test_a_redirect_to_something_else_is_refused(location: str):
    with pytest.raises(DefinitionError):
        parse("http://a.example/").joined(location)


def test_the_authority_leaves_the_usual_port_out():
    assert parse("http://a.example:80/").authority == "a.example"
    assert parse("https://a.example:80/").authority == "a.example:80"
    assert parse("http://[::1]:81/").authority == "[::1]:81"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("LocalHost", "localhost"), (" 10.0.0.5 ", "10.0.0.5"), ("[::1]", "::1"), ("0:0::1", "::1"), ("a_b.c", "a_b.c")],
)
def test_a_host_has_one_form(name: str, expected: str):
    assert host_of(name) == expected


@pytest.mark.parametrize("name", ["", "http://localhost", "localhost:80", "a b", "-a", "*", "10.0.0.0/8", "a,b"])
def test_what_is_no_host_alone_is_refused(name: str):
    with pytest.raises(DefinitionError, match="A host is a name or an IP address alone"):
        host_of(name)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",  # noqa: S104
        "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1", "198.18.0.1",
        "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:7f00:1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1",
        "2002:7f00:1::", "2002:a00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
        "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_known(address: str):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8",
        "64:ff9b::808:808", "2002:808:808::1",
    ],
)  # fmt: skip
def test_an_address_that_is_public_is_known(address: str):
    assert is_public(address)


@pytest.mark.parametrize("host", ["api.example.com", "a.example.org", "a.b.example.org", "::1"])
def test_a_listed_host_may_be_asked(host: str, settings: Settings):
    settings.WIDGETS_OUTBOUND_HOSTS = ["API.example.com", "*.example.org", "::1"]
    check_listed(host)


@pytest.mark.parametrize("host", ["example.com", "x.api.example.com", "example.org", "badexample.org", "localhost"])
def test_a_host_outside_the_list_may_not_be_asked(host: str, settings: Settings):
    settings.WIDGETS_OUTBOUND_HOSTS = ["api.example.com", "*.example.org"]
    with pytest.raises(SourceFailed, match=f'"{host}" is not among the hosts .* WIDGETS_OUTBOUND_HOSTS'):
        check_listed(host)


def test_without_a_list_every_host_may_be_asked(settings: Settings):
    settings.WIDGETS_OUTBOUND_HOSTS = []
    check_listed("anything.example")
