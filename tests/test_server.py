from __future__ import annotations

import errno
import logging

import pytest

from project.server import WithoutQuery, configure, listen
from tests.loopback import free_port


async def app(scope, receive, send):
    raise AssertionError("it is only configured here")


def logged(message: str, *args: object) -> str:
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, message, args, None)
    assert WithoutQuery().filter(record)
    return record.getMessage()


def test_query_strings_are_not_logged():
    line = logged('%s - "%s %s HTTP/%s" %d', "127.0.0.1:5", "GET", "/a/b?api_key=secret", "1.1", 200)
    assert line == '127.0.0.1:5 - "GET /a/b HTTP/1.1" 200'


def test_other_log_lines_stay_as_they_are():
    assert logged("Ready?") == "Ready?"
    assert logged("%s of %d", "why?", 2) == "why? of 2"


@pytest.fixture
def _logging_left_alone():
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.access", "uvicorn.error")]
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, handlers, propagate, level in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.mark.usefixtures("_logging_left_alone")
def test_every_log_handler_of_the_server_cuts_queries():
    configure(app, access_log=True)
    for name in ("uvicorn", "uvicorn.access"):
        handlers = logging.getLogger(name).handlers
        assert handlers
        assert all(isinstance(handler.filters[0], WithoutQuery) for handler in handlers)


@pytest.mark.usefixtures("_logging_left_alone")
def test_proxies_are_trusted_only_when_they_are_named(settings, monkeypatch):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    settings.TRUSTED_PROXIES = []
    assert not configure(app).proxy_headers
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    config = configure(app)
    assert (config.proxy_headers, config.forwarded_allow_ips) == (True, ["10.0.0.0/8"])


def test_a_port_in_use_is_told_in_one_line():
    with listen("127.0.0.1", free_port()) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1 port {port}: .+ Choose another") as refusal:
            listen("127.0.0.1", port)
    assert "\n" not in str(refusal.value)
    assert refusal.value.errno is None or refusal.value.errno == errno.EADDRINUSE


def test_an_ipv6_address_can_be_listened_on():
    with listen("::1", free_port()) as listener:
        assert listener.getsockname()[0] == "::1"
