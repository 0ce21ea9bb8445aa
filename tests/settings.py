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

from project.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
