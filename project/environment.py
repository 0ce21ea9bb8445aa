"""Typed readers of environment variables. A bad value stops the start with one line that names the variable."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

FLAGS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def load_file(path: Path) -> None:
    """Take NAME=value lines of a `.env` file into the environment; what is set already wins."""
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise ImproperlyConfigured(f"{path.name} line {number} is not NAME=value.")
        os.environ.setdefault(name.strip(), value.strip().strip("\"'"))


def text(name: str, default: str) -> str:
    """Return the variable's text, or the default when it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    """Return a yes/no variable."""
    value = text(name, str(default)).lower()
    if value not in FLAGS:
        raise ImproperlyConfigured(f'{name} is "{value}". Use 1 or 0.')
    return FLAGS[value]


def number(name: str, default: float, *, least: float, most: float) -> float:
    """Return a number within its limits."""
    value = text(name, str(default))
    try:
        parsed = float(value)
    except ValueError:
        raise ImproperlyConfigured(f'{name} is "{value}". Use a number.') from None
    if not least <= parsed <= most:
        raise ImproperlyConfigured(f"{name} is {value}. Use a number from {least:g} to {most:g}.")
    return parsed


def names(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated list."""
    value = text(name, "")
    return [part.strip() for part in value.split(",") if part.strip()] if value else default


def origins(name: str, default: list[str]) -> list[str]:
    """Return a list of origins such as https://pro.openbb.co."""
    for origin in (found := names(name, default)):
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise ImproperlyConfigured(
                f'{name} has "{origin}". Use scheme://host or scheme://host:port, without a path.'
            )
    return found


def url(name: str, default: str) -> str:
    """Return an http(s) URL without a trailing slash."""
    value = text(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ImproperlyConfigured(f'{name} is "{value}". Use a URL such as https://widgets.example.com.')
    return value


def secret(name: str, path: Path) -> str:
    """Return the variable, or a secret that is made once and kept in a file only its owner can read."""
    if value := os.environ.get(name, "").strip():
        return value
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        made = secrets.token_urlsafe(50)
    try:
        # Two processes that start at once must end up with one secret: the first to make the file wins.
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(made)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    return made


def database(name: str, default: Path) -> dict[str, Any]:
    """Return Django's DATABASES entry for sqlite:///path or postgres://user:password@host:port/name."""
    value = text(name, f"sqlite:///{default}")
    parts = urlsplit(value)
    if parts.scheme == "sqlite":
        return _sqlite(name, unquote(parts.path[1:]))
    if parts.scheme in ("postgres", "postgresql"):
        return _postgresql(name, value)
    raise ImproperlyConfigured(f'{name} starts with "{parts.scheme}". Use sqlite:///path or postgres://…')


def _sqlite(name: str, path: str) -> dict[str, Any]:
    if not path:
        raise ImproperlyConfigured(f"{name} names no file. Use sqlite:///path/to/file.sqlite3.")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            # A read that turns into a write must not fail at once with "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _postgresql(name: str, value: str) -> dict[str, Any]:
    parts = urlsplit(value)
    try:
        port = parts.port or ""
    except ValueError:
        raise ImproperlyConfigured(f"{name} has a port that is no number.") from None
    if len(parts.path) < 2:
        raise ImproperlyConfigured(f"{name} names no database. Use postgres://user:password@host:port/name.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": port,
        "CONN_MAX_AGE": 60,
        # Without it every kept connection costs one failed request after the server restarts.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }
