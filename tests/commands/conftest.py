from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import PATIENCE, ask, eventually

ROOT = Path(__file__).resolve().parent.parent.parent
# A deployment's own, whatever the test run itself was given.
DEFAULTS = {
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "WIDGETS_CATALOG_CHECK_SECONDS": "1",
    "DATABASE_URL": "",
    "CACHE_URL": "",
    "WIDGETS_STALE_SECONDS": "",
    "PYTHONUNBUFFERED": "1",
}


class Command:
    """A `manage.py` command as a process; `lines` is what it has printed so far, errors included."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=os.environ | DEFAULTS | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        self.lines.extend(iter(self.process.stdout.readline, ""))

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def wait_until_it_serves(self, port: int, path: str = "/", tls: ssl.SSLContext | None = None) -> None:
        """Wait for an answer, whatever it is."""

        def answers() -> bool:
            assert self.process.poll() is None, self.output
            try:
                return bool(ask(port, path, tls=tls).status)
            except OSError:
                return False

        eventually(answers)

    def stop(self) -> int:
        """Ask it to end; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def clean_up(self) -> None:
        """End it and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """A state folder whose database has all tables."""
    home: Path = tmp_path_factory.mktemp("home")
    command = Command("migrate", WIDGETS_HOME=str(home))
    try:
        assert command.wait() == 0, command.output
    finally:
        command.clean_up()
    return home


@pytest.fixture
def home(migrated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(migrated, tmp_path / "home"))


@pytest.fixture
def manage() -> Iterator[Callable[..., Command]]:
    with ExitStack() as stack:

        def start(*arguments: str, home: Path, **environment: Any) -> Command:
            command = Command(*arguments, WIDGETS_HOME=str(home), **environment)
            stack.callback(command.clean_up)
            return command

        yield start
