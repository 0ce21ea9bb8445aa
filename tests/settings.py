"""The project's settings with a state folder of their own, and without the watching thread."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_home = tempfile.mkdtemp(prefix="widgets-test-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["WIDGETS_HOME"] = _home
os.environ["WIDGETS_CATALOG_CHECK_SECONDS"] = "0"
# Results are as old as the tests say; those about stale ones switch them on.
os.environ["WIDGETS_STALE_SECONDS"] = "0"
# Processes that test side by side each have a Redis database of their own, counted from the one that is named.
_redis, _, _number = os.environ.get("CACHE_URL", "").rpartition("/")
_worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
if _redis.startswith("redis") and _number.isdigit():
    os.environ["CACHE_URL"] = f"{_redis}/{(int(_number) + int(_worker)) % 16}"

from project.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
