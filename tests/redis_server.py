"""A Redis to keep results in, where there is one."""

from __future__ import annotations

import os
from contextlib import closing
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis

from widgets_app.stores import RedisStore

# Not one of those from 8 upwards: test runs with a CACHE_URL there clear one for each of their workers.
URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/7")
OPTIONS = {"serializer": "widgets_app.stores.Plain", "socket_connect_timeout": 1, "socket_timeout": 2}


def url() -> str:
    """Return its address; skips the test where nothing answers there."""
    try:
        with closing(redis.from_url(URL, socket_connect_timeout=1)) as client:
            client.ping()
    except redis.RedisError:
        pytest.skip("no Redis at TEST_REDIS_URL")
    return URL


def store(port: int | None = None) -> RedisStore:
    """Return a store whose keys nobody else has; `port` leads to the server by another way."""
    parts = urlsplit(url())
    address = parts._replace(netloc=f"127.0.0.1:{port}").geturl() if port else URL
    return RedisStore(address, {"OPTIONS": OPTIONS, "KEY_PREFIX": uuid4().hex})
