"""Backends of other people, imported with their upstream: every widget answers through this one as it did alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.test import Client

from tests.backend import content
from tests.conftest import SECRET, refresh
from tests.loopback import ask, serving
from tests.manifest.test_round_trip import without_nulls
from tests.upstream import AGENTS, APPS, WIDGETS, Upstream
from tests.workspace import Asking, askings
from widgets_app.services.bundles import Options, bundle_import, from_files

pytestmark = pytest.mark.django_db

REFERENCE = Path(__file__).parents[2] / "shared" / "corpus" / "bfo-reference-backend"


def imported(port: int, files: Mapping[str, bytes]) -> None:
    """Import manifests, with the backend that answers for them."""
    options = Options(upstream=f"http://127.0.0.1:{port}", headers={"X-Desk-Key": SECRET}, private_hosts=("127.0.0.1",))
    bundle_import(from_files(files.items()), options)
    refresh()


def through_us(client: Client, asking: Asking) -> tuple[int, str, bytes]:
    answer = client.generic(
        asking.method, asking.target, asking.body or b"", content_type="application/json" if asking.body else ""
    )
    return answer.status_code, answer.headers.get("Content-Type", ""), content(answer)


def alone(port: int, asking: Asking) -> tuple[int, str, bytes]:
    kind = {"Content_Type": "application/json"} if asking.body else {}
    answer = ask(port, asking.target, asking.method, asking.body, **kind)
    return answer.status, answer.headers["Content-Type"], answer.body


def check_all(client: Client, upstream: Upstream, port: int) -> dict[str, int]:
    """Ask for everything, here and there; return how many requests of each sort were answered alike."""
    counted = {"widgets": 0}
    manifest = client.get("/widgets.json").json()
    assert manifest == without_nulls(upstream.widgets)
    for name, definition in manifest.items():
        for asking in askings(definition):
            rows = list(upstream.rows)
            there = alone(port, asking)
            upstream.rows = rows
            assert through_us(client, asking) == there, (name, asking)
            assert there[0] == 200, (name, asking, there)
            counted[asking.what] = counted.get(asking.what, 0) + 1
        counted["widgets"] += 1
    return counted


def test_a_backend_with_every_type_is_served_whole(caller: Client) -> None:
    upstream = Upstream()
    files = {"widgets.json": WIDGETS, "apps.json": APPS, "agents.json": AGENTS}
    with serving(upstream) as (port, _):
        imported(port, {name: json.dumps(value).encode() for name, value in files.items()})
        counted = check_all(caller, upstream, port)
        assert caller.get("/apps.json").json() == APPS
        assert caller.get("/agents.json").json() == AGENTS
        upstream.go.set()
        assert content(caller.post("/agent/query")).endswith(b"event: two\ndata: {}\n\n")
        refresh()
    assert counted == {"widgets": len(WIDGETS), "data": 20, "options": 9, "form": 1, "udf": 5, "picture": 1}


@pytest.mark.skipif(not REFERENCE.exists(), reason="the collection of real backends is not here")
def test_the_reference_backend_is_served_whole(caller: Client) -> None:
    files = {path.name: path.read_bytes() for path in REFERENCE.glob("*.json")}
    upstream = Upstream(json.loads(files["widgets.json"]))
    with serving(upstream) as (port, _):
        imported(port, files)
        counted = check_all(caller, upstream, port)
        assert without_nulls(caller.get("/apps.json").json()) == without_nulls(json.loads(files["apps.json"]))
        refresh()
    assert counted == {"widgets": 45, "data": 47, "options": 8, "form": 1, "udf": 5}
