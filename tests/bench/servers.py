"""The two servers, each a process with one worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.works import PAGED, SOURCE
from tests.loopback import Response, ask, eventually, free_port

ROOT = Path(__file__).resolve().parent.parent.parent
GRACE_SECONDS = 10.0
# What a developer's own settings would change in the comparison; empty means the default.
DEFAULTS = dict.fromkeys(
    ("DATABASE_URL", "CACHE_URL", "DEBUG", "ALLOWED_HOSTS", "TRUSTED_PROXIES", "WIDGETS_OPEN", "PUBLIC_URL",
     "WIDGETS_CATALOG_CHECK_SECONDS", "WIDGETS_MANIFEST_CACHE_MB", "WIDGETS_RESULT_CACHE_MB"),
    "",
)  # fmt: skip


def fill(home: Path, *, paged: bool) -> str:
    """Fill an empty state folder, with the large table if asked to; return the text of a key."""
    command = [sys.executable, "-m", "tests.bench.backend", *([PAGED] if paged else [])]
    done = subprocess.run(command, cwd=ROOT, env=_environment(home), check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.split()[-1]


@contextmanager
def ours(home: Path) -> Iterator[int]:
    """Serve a state folder as in production; gives the port."""
    port = free_port()
    command = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with _process(command, _environment(home), home / "ours.log", port):
        yield port


@contextmanager
def peer(home: Path, *, key: str, manifest: bytes) -> Iterator[int]:
    """Serve the peer with the same data, key and manifest; gives the port."""
    port = free_port()
    file = home / "widgets.json"
    file.write_bytes(manifest)
    environment = os.environ | {
        "BENCH_FOLDER": str(home / "files" / SOURCE),
        "BENCH_KEY": key,
        "BENCH_MANIFEST": str(file),
    }
    command = [sys.executable, "-m", "uvicorn", "tests.bench.peer:app", "--host", "127.0.0.1", "--port", str(port),
               "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]  # fmt: skip
    with _process(command, environment, home / "peer.log", port):
        yield port


def _environment(home: Path) -> dict[str, str]:
    return os.environ | DEFAULTS | {"WIDGETS_HOME": str(home)}


@contextmanager
def _process(command: list[str], environment: Mapping[str, str], log: Path, port: int) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        eventually(lambda: _serves(process, log, port))
        yield
    finally:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _serves(process: subprocess.Popen[bytes], log: Path, port: int) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"A server did not start: {log.read_text()}")
    try:
        answer: Response = ask(port)
    except OSError:
        return False
    return bool(answer.status)
