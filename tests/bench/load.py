"""How many requests a second a server answers: asked by wrk where it is installed, else by a client of our own.

Run as a module it is that client, so that it has a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

ROOT = Path(__file__).resolve().parent.parent.parent
WRK = shutil.which("wrk")
# How long the answers under way at the end may take.
PATIENCE = 180.0


class LoadError(Exception):
    """Answers that are no answers: the rate would mean nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for."""

    url: str
    headers: Mapping[str, str]
    body: str = ""


def rate(target: Target, *, callers: int, seconds: float, whole: bool) -> float:
    """Return requests per second over at least `seconds`, with `callers` connections that ask again at once.

    `whole` waits for the answers under way at the end, which matters when few are given. Raises LoadError.
    """
    return _own(target, callers, seconds) if whole or WRK is None else _wrk(WRK, target, callers, seconds)


def _wrk(wrk: str, target: Target, callers: int, seconds: float) -> float:
    headers = [part for name, value in target.headers.items() for part in ("-H", f"{name}: {value}")]
    command = [wrk, "-t1", f"-c{callers}", f"-d{max(1, round(seconds))}s", *headers, target.url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if failed := re.search(r"Non-2xx.*|Socket errors.*", output):
        raise LoadError(f"{target.url}: {failed[0]}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if not found or not float(found[1]):
        raise LoadError(f"{target.url}: nothing came within {seconds:g} s. Use more --seconds.")
    return float(found[1])


def _own(target: Target, callers: int, seconds: float) -> float:
    command = [sys.executable, "-m", __name__, target.url, json.dumps(dict(target.headers)), target.body,
               str(callers), str(seconds)]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + PATIENCE)
    except subprocess.TimeoutExpired:
        raise LoadError(f"{target.url} did not answer for {PATIENCE:g} s") from None
    if done.returncode:
        raise LoadError(f"{target.url}: {done.stderr.strip()}")
    return float(done.stdout)


class _Caller(asyncio.Protocol):
    """One connection that asks again as soon as it has the answer, until the time is up."""

    def __init__(self, request: bytes, until: float) -> None:
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._request, self._until = request, until
        self._count, self._head, self._missing = 0, b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
            self._missing = self._length(head)
        self._missing -= len(data)
        if not self._missing:
            self._next()

    def _length(self, head: bytes) -> int:
        status = head.split(b" ", 2)[1]
        if status not in (b"200", b"304"):
            self._end(LoadError(f"answered {status.decode()}"))
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        return int(length[1]) if length else 0

    def _next(self) -> None:
        self._count += 1
        if time.perf_counter() < self._until:
            self._transport.write(self._request)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        self._transport.close()
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(self._count)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(LoadError("the connection was cut"))


async def _load(target: Target, callers: int, seconds: float) -> float:
    parts = urlsplit(target.url)
    method = "POST" if target.body else "GET"
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *map(": ".join, target.headers.items())]
    if target.body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(target.body)}"]
    request = "\r\n".join([*lines, "", target.body]).encode()
    loop, start = asyncio.get_running_loop(), time.perf_counter()
    made = [
        await loop.create_connection(lambda: _Caller(request, start + seconds), parts.hostname or "", parts.port or 80)
        for _ in range(callers)
    ]
    counts = await asyncio.gather(*(caller.done for _, caller in made))
    return sum(counts) / (time.perf_counter() - start)


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("headers", type=json.loads)
    parser.add_argument("body")
    parser.add_argument("callers", type=int)
    parser.add_argument("seconds", type=float)
    asked = parser.parse_args()
    target = Target(asked.url, asked.headers, asked.body)
    try:
        sys.stdout.write(str(uvloop.run(_load(target, asked.callers, asked.seconds))))
    except (LoadError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main()
