"""Strict-Transport-Security, which browsers keep for a host with all its ports: only where it locks nobody out."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.test_env_example import settings_with

pytestmark = pytest.mark.django_db

PUBLIC = "https://widgets.example.com"


def hsts(settings: Settings, host: str, *, public_url: str = PUBLIC, seconds: int = 3600, secure: bool = True) -> str:
    """Return the header of an answer, nothing where there is none."""
    settings.PUBLIC_URL, settings.SECURE_HSTS_SECONDS, settings.ALLOWED_HOSTS = public_url, seconds, ["*"]
    answer = Client(headers={"host": host}).get("/nothing", secure=secure)
    assert answer.status_code == 401
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return answer.headers.get("Strict-Transport-Security", "")


@pytest.mark.parametrize("host", ["widgets.example.com", "widgets.example.com:8443", "WIDGETS.example.com"])
def test_it_is_sent_for_the_public_host(settings: Settings, host: str) -> None:
    assert hsts(settings, host) == "max-age=3600"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:7779", "[::1]:7779", "example.com", "other.example.com"])
def test_it_is_not_sent_for_another_host(settings: Settings, host: str) -> None:
    assert hsts(settings, host) == ""


@pytest.mark.parametrize(
    "host",
    ["localhost", "app.localhost", "127.0.0.1", "192.168.1.20", "[::1]", "desk", "desk.local", "desk.lan",
     "desk.home.arpa", "desk.internal", "desk.test"],
)  # fmt: skip
def test_it_is_never_sent_for_names_of_this_machine_and_of_local_networks(settings: Settings, host: str) -> None:
    assert hsts(settings, host, public_url=f"https://{host}:7779") == ""


def test_it_is_not_sent_over_plain_http_nor_for_a_plain_public_url_nor_unasked(settings: Settings) -> None:
    assert hsts(settings, "widgets.example.com", secure=False) == ""
    assert hsts(settings, "widgets.example.com", public_url="http://widgets.example.com") == ""
    assert hsts(settings, "widgets.example.com", seconds=0) == ""


def test_a_host_that_is_not_allowed_is_refused_as_ever(settings: Settings) -> None:
    settings.PUBLIC_URL, settings.SECURE_HSTS_SECONDS = PUBLIC, 3600
    answer = Client(headers={"host": "evil.example"}).get("/nothing", secure=True)
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.json()["detail"]
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(
    ("environment", "url", "secure"),
    [
        ({}, "http://127.0.0.1:7779", False),
        ({"HTTPS": "1"}, "https://127.0.0.1:7779", True),
        ({"HTTPS": "1", "HOST": "0.0.0.0"}, "https://127.0.0.1:7779", True),  # noqa: S104  only read here
        ({"HTTPS": "1", "PUBLIC_URL": "http://desk.example.com"}, "http://desk.example.com", False),
        ({"PUBLIC_URL": PUBLIC}, PUBLIC, True),
    ],
)
def test_the_address_and_the_cookies_follow_https(
    tmp_path: Path, environment: dict[str, str], url: str, secure: bool
) -> None:
    unset = dict.fromkeys(("HTTPS", "HOST", "PORT", "PUBLIC_URL"), "")
    found = settings_with(**unset | environment | {"WIDGETS_HOME": str(tmp_path)})
    assert found["PUBLIC_URL"] == url
    assert (found["SESSION_COOKIE_SECURE"], found["CSRF_COOKIE_SECURE"]) == (secure, secure)
