"""Real servers, one or two processes, before many clients: how often a query runs, and when."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests import redis_server
from tests.loopback import PATIENCE, Response, ask, eventually, free_port

DEFINE = """
from widgets_app.manifest.reading import read_query, read_widget
from widgets_app.models import Source
from widgets_app.services.publishing import definition_publish
Source.objects.create(name="functions", kind="python")
definition_publish(read_query({{
    "name": "counted", "description": "", "source": "functions", "text": "counted", "cache_seconds": {seconds},
    "seconds": None, "rows": None, "options_path": "options/counted", "choices": [], "cron": "{cron}",
}}))
definition_publish(read_widget({{
    "id": "counted", "feeds": {{"rows": "counted"}}, "definition": {{
        "name": "Counted", "description": "d", "type": "table", "endpoint": "counted", "source": ["s"],
        "params": [{{"paramName": "seconds", "type": "number", "value": 0.5}}],
    }},
}}))
"""


class Site:
    """A backend with one widget whose query counts its runs, and the processes that serve it."""

    def __init__(
        self, manage: Callable[..., Any], home: Path, cache: str, *, seconds: int = 60, cron: str = ""
    ) -> None:
        self._manage, self._home = manage, home
        self.count_file = home / "count"
        self.environment = {
            "DJANGO_SETTINGS_MODULE": "tests.counting.settings",
            "COUNT_FILE": str(self.count_file),
            "CACHE_URL": cache,
            # Keys of results in Redis depend on it, so that no test finds what another one kept.
            "SECRET_KEY": uuid4().hex * 2,
        }
        self.run("shell", "-v", "0", "--no-imports", "-c", DEFINE.format(seconds=seconds, cron=cron))
        self.key = self.run("issue_key", "Ana").strip().splitlines()[-1]

    def start(self, *arguments: str, **more: str) -> Any:
        return self._manage(*arguments, home=self._home, **self.environment | more)

    def run(self, *arguments: str) -> str:
        command = self.start(*arguments)
        assert command.wait() == 0, command.output
        output: str = command.output
        return output

    def serve(self, *arguments: str, **more: str) -> tuple[int, Any]:
        port = free_port()
        command = self.start("serve", "--port", str(port), *arguments, **more)
        command.wait_until_it_serves(port)
        eventually(lambda: ask(port, "/widgets.json", X_API_KEY=self.key).status == 200)
        return port, command

    def ask(self, port: int, path: str = "/counted", **headers: str) -> Response:
        return ask(port, path, X_API_KEY=self.key, **headers)

    @property
    def runs(self) -> list[str]:
        return self.count_file.read_text().split() if self.count_file.exists() else []


def stampede(site: Site, ports: list[int], callers: int = 200) -> tuple[set[bytes], float]:
    """Have many clients ask at once; return the different answers, and how long the slowest took."""

    def one(number: int) -> tuple[Response, float]:
        started = time.monotonic()
        return site.ask(ports[number % len(ports)], "/counted?seconds=1"), time.monotonic() - started

    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(one, range(callers)))
    assert {answer.status for answer, _ in answers} == {200}
    return {answer.body for answer, _ in answers}, max(seconds for _, seconds in answers)


@pytest.mark.parametrize("processes", ["one", "two", "workers"])
def test_two_hundred_clients_make_a_query_run_once(manage: Any, home: Path, processes: str) -> None:
    site = Site(manage, home, redis_server.url() if processes != "one" else "")
    ports = [site.serve("--workers", "2")[0]] if processes == "workers" else [site.serve()[0]]
    ports += [site.serve()[0]] if processes == "two" else []
    different, slowest = stampede(site, ports)
    print(f"\n200 clients, {processes}: {len(site.runs)} run(s), the slowest answer took {slowest:.2f} s")
    assert (len(different), len(site.runs)) == (1, 1)
    assert slowest < PATIENCE


def test_who_waits_for_a_worker_that_is_killed_makes_the_result(manage: Any, home: Path) -> None:
    site = Site(manage, home, redis_server.url())
    first, command = site.serve()
    second, _ = site.serve()
    with ThreadPoolExecutor(2) as pool:
        lost = pool.submit(site.ask, first, "/counted?seconds=3")
        eventually(lambda: len(site.runs) == 1)
        found = pool.submit(site.ask, second, "/counted?seconds=3")
        time.sleep(0.5)
        os.killpg(command.process.pid, signal.SIGKILL)
        assert found.result().status == 200
        with pytest.raises(ConnectionError):
            lost.result()
    assert len(set(site.runs)) == 2


def test_a_new_result_replaces_the_one_that_other_processes_kept(manage: Any, home: Path) -> None:
    site = Site(manage, home, redis_server.url())
    ports = [site.serve()[0], site.serve()[0]]
    first = site.ask(ports[0]).body
    assert site.ask(ports[1]).body == first
    time.sleep(1.1)
    second = site.ask(ports[1], Cache_Control="no-cache").body
    assert second != first
    assert site.ask(ports[0]).body == site.ask(ports[1]).body == second
    assert len(site.runs) == 2


@pytest.mark.parametrize("processes", [1, 2])
def test_servers_make_results_anew_on_schedule(manage: Any, home: Path, processes: int) -> None:
    site = Site(manage, home, redis_server.url() if processes == 2 else "", seconds=600, cron="* * * * *")
    servers = [site.serve() for _ in range(processes)]
    time.sleep(max(0.0, 58 - time.time() % 60) % 60)
    before = len(site.runs)
    eventually(lambda: len(site.runs) > before, every=0.1)
    time.sleep(2)
    assert len(site.runs) == before + 1
    # The first who asks finds it made, with the values that the widget has by default.
    for port, _ in servers:
        assert int(site.ask(port).headers["Age"]) >= 1
    assert len(site.runs) == before + 1
    eventually(lambda: any("1 result made anew" in command.output for _, command in servers))


def test_a_command_makes_results_anew_for_the_servers(manage: Any, home: Path) -> None:
    site = Site(manage, home, redis_server.url(), cron="0 0 1 1 *")
    port, _ = site.serve()
    assert "counted: 1 result made anew." in site.run("refresh_queries", "--query", "counted")
    assert json.loads(site.ask(port).body)[0]["process"] == int(site.runs[0])
    assert len(site.runs) == 1
    assert "counted" not in site.run("refresh_queries", "--once")  # it is not due
    assert len(site.runs) == 1
    unknown = site.start("refresh_queries", "--query", "nothing")
    assert unknown.wait() == 1
    assert unknown.lines[0] == 'CommandError: There is no published query "nothing".\n'


def test_without_a_shared_cache_the_command_says_that_it_is_of_no_use(manage: Any, home: Path) -> None:
    command = manage("refresh_queries", "--once", home=home)
    assert command.wait() == 1
    assert "CACHE_URL" in command.output
    assert command.output.count("\n") == 1
