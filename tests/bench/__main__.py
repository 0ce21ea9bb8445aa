"""Compares this backend with hand-written FastAPI and prints a table of ratios."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from tests.bench import load, servers
from tests.bench.load import LoadError, Target
from tests.bench.works import Work, works
from tests.loopback import Response, ask, eventually

# How often each side is measured, in turns: noise of the machine then meets both.
ROUNDS = 3
LINE = "{:44} {:>7} {:>10} {:>10} {:>8} {:>5} {:>8}\n"


@dataclass(frozen=True, slots=True)
class Pair:
    """Both servers, and the key that both ask for."""

    ours: int
    peer: int
    key: str

    def targets(self, work: Work) -> tuple[Target, Target]:
        """Return what to ask each side for; raises LoadError unless both give the same answer."""
        mine, other = self._ask(self.ours, work.path, work.body), self._ask(self.peer, work.peer_path, work.body)
        if (mine.status, other.status) != (200, 200) or mine.body != other.body:
            raise LoadError(
                f"{work.name}: here {mine.status} with {len(mine.body)} bytes, the peer {other.status} with "
                f"{len(other.body)} bytes, and the bodies must be equal: {_difference(mine.body, other.body)}"
            )
        extra = {"If-None-Match": mine.headers["ETag"]} if work.revalidate else {}
        mine_at = self._target(self.ours, work.path, work.body, **extra)
        return mine_at, self._target(self.peer, work.peer_path, work.body)

    def _ask(self, port: int, path: str, body: str) -> Response:
        headers = {"X-API-KEY": self.key, **({"Content-Type": "application/json"} if body else {})}
        return ask(port, path, "POST" if body else "GET", body or None, **headers)

    def _target(self, port: int, path: str, body: str, **headers: str) -> Target:
        return Target(f"http://127.0.0.1:{port}{path}", {"X-API-KEY": self.key, **headers}, body)


def _difference(one: bytes, other: bytes) -> str:
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{one[at : at + 60]!r} / {other[at : at + 60]!r}"


def measured(pair: Pair, work: Work, *, callers: int, seconds: float) -> tuple[float, float, float]:
    """Return requests per second here and of the peer, and the ratio: each the median of all rounds."""
    mine, other = pair.targets(work)
    rounds = [
        [load.rate(target, callers=callers, seconds=seconds, whole=work.slow) for target in (mine, other)]
        for _ in range(ROUNDS)
    ]
    here, there = zip(*rounds, strict=True)
    return median(here), median(there), median(a / b for a, b in rounds)


def report(pair: Pair, chosen: list[Work], seconds: float) -> Iterator[str]:
    """Measure and return the lines of the table."""
    client = f"{load.WRK}; of slow work by our own client" if load.WRK else "our own client (wrk is not installed)"
    yield f"One worker each, {ROUNDS} rounds of {seconds:g} s in turns. Load by {client}.\n\n"
    yield LINE.format("Work: here / FastAPI", "callers", "here/s", "FastAPI/s", "ratio", "goal", "reached")
    for work in chosen:
        for callers in work.callers:
            yield _line(work, callers, *measured(pair, work, callers=callers, seconds=seconds))


def _line(work: Work, callers: int, here: float, there: float, ratio: float) -> str:
    reached = "" if work.goal is None else "yes" if ratio >= work.goal else "no"
    goal = "" if work.goal is None else f"{work.goal:g}"
    return LINE.format(work.title, callers, f"{here:,.1f}", f"{there:,.1f}", f"{ratio:.2f}", goal, reached)


def _arguments() -> argparse.Namespace:
    names = [work.name for work in works()]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (%(default)s)")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"of: {', '.join(names)}")
    return parser.parse_args()


def main() -> None:
    """Fill a temporary state folder, start both servers, measure, print."""
    arguments = _arguments()
    if find_spec("fastapi") is None:
        sys.exit("FastAPI is not installed. Run: make bench, or: pip install -r requirements-bench.txt")
    chosen = [work for work in works() if work.name in (arguments.only or [work.name])]
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="widgets-bench-")))
        paged = any(work.body for work in chosen)
        key = servers.fill(home, paged=paged)
        mine = stack.enter_context(servers.ours(home))
        if paged:
            # The large file is converted in the background; from then on it is served from there.
            eventually(lambda: any((home / "converted").glob("*/*.duckdb")), every=1)
        manifest = ask(mine, "/widgets.json", **{"X-API-KEY": key}).body
        other = stack.enter_context(servers.peer(home, key=key, manifest=manifest))
        for line in report(Pair(mine, other, key), chosen, arguments.seconds):
            sys.stdout.write(line)
            sys.stdout.flush()


def _stop(*_signal: object) -> None:
    sys.exit("Stopped.")


if __name__ == "__main__":
    # The servers and the state folder must not outlive it.
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    try:
        main()
    except (LoadError, OSError) as error:
        sys.exit(f"The benchmark can't be trusted: {error}")
