"""A backend with one fault at a time: it is found, and nothing else is said against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.doctor.patient import JSON, KEY, ORIGIN, ROWS, Asked, Patient, Told
from tests.doctor.test_healthy import NOTES, codes, examined

Fault = Callable[[Patient], object]


def hooked(hook: Callable[[Asked, Told], Told | None]) -> Fault:
    """Return a fault that changes answers."""
    return lambda patient: patient.hooks.append(hook)


def answered(path: str, body: Any, kind: str = JSON) -> Fault:
    """Return a fault in the body of one path."""
    return lambda patient: patient.bodies.update({path: (kind, body)})


def without(header: str, *, when: Callable[[Asked, Told], bool] = lambda *_: True) -> Fault:
    """Return the fault that a header is missing."""

    def hook(asked: Asked, told: Told) -> None:
        if when(asked, told):
            told.headers.pop(header, None)

    return hooked(hook)


def headed(when: Callable[[Asked, Told], bool], **headers: str) -> Fault:
    """Return the fault that headers say something else; `_` stands for `-`."""

    def hook(asked: Asked, told: Told) -> None:
        if when(asked, told):
            told.headers.update({name.replace("_", "-"): value for name, value in headers.items()})

    return hooked(hook)


def replied(when: Callable[[Asked], bool], status: int, body: Any = b"", **headers: str) -> Fault:
    """Return the fault that some requests are answered otherwise, CORS headers and all."""

    def hook(asked: Asked, told: Told) -> Told | None:
        if not when(asked):
            return None
        kept = {name: value for name, value in told.headers.items() if name.startswith(("access-", "vary"))}
        return Told(status, body, {**kept, **headers})

    return hooked(hook)


def at(path: str, method: str = "GET") -> Callable[[Asked], bool]:
    return lambda asked: asked.path == path and asked.method == method


def on(path: str) -> Callable[[Asked, Told], bool]:
    return lambda asked, told: asked.path == path and asked.method != "OPTIONS"


def preflight(asked: Asked, told: Told | None = None) -> bool:
    return asked.method == "OPTIONS"


def changed(key: str, **members: Any) -> Fault:
    """Return a fault in one definition."""
    return lambda patient: patient.widgets[key].update(members)


def dropped(key: str, member: str) -> Fault:
    return lambda patient: patient.widgets[key].pop(member)


def no_key(asked: Asked) -> bool:
    return not asked.key and asked.method == "GET"


def wrong_key(asked: Asked) -> bool:
    return asked.key not in ("", KEY)


def first_row(**members: Any) -> list[dict[str, Any]]:
    return [{**ROWS[0], **members}, ROWS[1]]


def stall(patient: Patient) -> None:
    """Make one path slower than the doctor waits."""
    tell = Patient.__call__

    async def slow(self: Patient, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/metric" and scope["method"] == "GET":
            await asyncio.sleep(6)
        await tell(self, scope, receive, send)

    patient.__class__ = type("Slow", (Patient,), {"__call__": slow})


EMPTY = {"paramName": "port", "type": "text", "label": "Port", "description": "Which.", "value": ""}
UNFIT = replied(at("metric"), 422, b'{"detail": "port is missing"}')

FAULTS: dict[str, tuple[str, Fault]] = {
    # Preflights and CORS.
    "preflight asked for a key": ("preflight-key", replied(preflight, 401)),
    "preflight not allowed": ("preflight-status", replied(preflight, 405)),
    "preflight of one path only": ("preflight-status", replied(at("log/entry", "OPTIONS"), 405)),
    "preflight redirected": ("preflight-redirect", replied(preflight, 307, location="/elsewhere")),
    "preflight without origin": ("preflight-origin", without("access-control-allow-origin", when=preflight)),
    "preflight knows some headers only": ("preflight-headers", headed(preflight, access_control_allow_headers="accept")),
    "preflight without POST": ("preflight-methods", headed(preflight, access_control_allow_methods="GET")),
    "star as origin with credentials": ("cors-star-credentials", headed(lambda a, t: True, access_control_allow_origin="*")),
    "another origin": ("cors-origin", headed(on("widgets.json"), access_control_allow_origin="https://other.example")),
    "two origins": ("cors-origin-list", headed(on("widgets.json"), access_control_allow_origin=f"{ORIGIN}, https://a.example")),
    "no CORS on one widget": ("cors-origin", without("access-control-allow-origin", when=on("metric"))),
    "no CORS on errors": (
        "cors-on-errors", without("access-control-allow-origin", when=lambda asked, told: told.status == 404),
    ),
    "no CORS on refusals": (
        "cors-on-refusals", without("access-control-allow-origin", when=lambda asked, told: told.status == 401),
    ),
    "no Vary": ("cors-vary", without("vary", when=on("widgets.json"))),
    "anybody with credentials": (
        "cors-anybody",
        hooked(lambda asked, told: told.headers.update({
            "access-control-allow-origin": asked.headers.get("origin", "*"), "access-control-allow-credentials": "true",
        })),
    ),
    "private network refused": (
        "private-network",
        replied(lambda asked: "access-control-request-private-network" in asked.headers, 400),
    ),
    # Keys.
    "no key asked for": ("key-not-asked", hooked(lambda asked, told: _unasked(asked, told))),
    "another status without a key": ("key-missing-status", replied(no_key, 400, b'{"detail": "a", "error": "a"}')),
    "without a key to a page to sign in": ("key-redirect", replied(no_key, 302, location="/login")),
    "any key taken": ("key-not-checked", hooked(lambda asked, told: _taken(asked, told))),
    "another status for a wrong key": ("key-wrong-status", replied(wrong_key, 404)),
    "data without a key": ("data-unprotected", hooked(lambda asked, told: _open_data(asked, told))),
    "refusal without a text": ("error-body", replied(no_key, 401, b"<h1>no</h1>")),
    "key refused by one path": ("data-key", replied(at("metric"), 403, b'{"detail": "no"}')),
    # The lists.
    "no apps": ("apps-missing", replied(at("apps.json"), 404, b'{"detail": "no"}')),
    "apps as an object": ("apps-not-list", lambda patient: setattr(patient, "apps", patient.apps[0])),
    "apps broken": ("json-invalid", replied(at("apps.json"), 200, b"[{]", **{"content-type": JSON})),
    "agents as a list": ("agents-not-object", lambda patient: setattr(patient, "agents", [])),
    "lists that browsers keep": ("manifest-kept", headed(on("widgets.json"), cache_control="public, max-age=3600")),
    "lists as text": ("json-type", headed(on("widgets.json"), content_type="text/plain")),
    "widgets as a list": ("widgets-not-object", lambda patient: setattr(patient, "widgets", [])),
    "widgets with NaN": ("json-nan", lambda patient: patient.widgets["berths"].update(staleTime=float("nan"))),
    "widgets cut off": ("json-invalid", replied(at("widgets.json"), 200, b'{"a": {"name": ', **{"content-type": JSON})),
    "a page instead of widgets": ("json-is-page", replied(at("widgets.json"), 200, b"<!doctype html><p>Sign in</p>")),
    "no widgets": ("widgets-none", lambda patient: (patient.widgets.clear(), patient.apps.clear())),
    "a widget without a name": ("name-missing", dropped("queue", "name")),
    "a widget without an endpoint": ("endpoint-missing", dropped("queue", "endpoint")),
    "an unknown type": ("type-unknown", changed("queue", type="speedometer")),
    "two widgets of one name": ("name-shared", changed("queue", name="Harbour plot")),
    "the same widget twice": (
        "widgets-alike",
        lambda patient: patient.widgets.update(again=dict(patient.widgets["queue"])),
    ),
    "ids that differ in case": ("ids-alike", lambda patient: patient.widgets.update(QUEUE=_other_queue(patient))),
    "an app with an unknown widget": (
        "layout-widget-unknown", lambda patient: patient.apps[0]["tabs"]["now"]["layout"][1].update(i="nowhere", groups=[]),
    ),
    # Data.
    "data missing": ("data-missing", replied(at("metric"), 404, b'{"detail": "no"}')),
    "data failed": ("data-failed", replied(at("metric"), 500, b'{"detail": "The database is away."}')),
    "data failed without a text": ("error-body", replied(at("metric"), 500, b"Internal Server Error")),
    "data redirected": ("redirect", replied(at("metric"), 307, location="/metric/")),
    "data without a value": (
        "data-needs-value", lambda patient: (patient.widgets["queue"]["params"].append(EMPTY), UNFIT(patient)),
    ),
    "no content": ("empty-204", replied(at("log"), 204)),
    "slow": ("slow", stall),
    "kept by browsers": ("browser-keeps", headed(on("metric"), cache_control="max-age=86400")),
    "rows as an object": ("rows-not-list", answered("log", {"vessel": "Aurora"})),
    "rows as texts": ("rows-not-objects", answered("log", ["Aurora"])),
    "rows with NaN": ("json-nan", answered("table", b'[{"vessel": "A", "draft": NaN, "tide": [1]}]')),
    "rows broken": ("json-invalid", answered("table", b"[{'vessel': 1}]")),
    "rows of different columns": ("rows-differ", answered("log", [{"a": 1}, {"b": 2}])),
    "a declared column missing": ("column-missing", answered("table", [{"vessel": "Aurora", "draft": 1}])),
    "numbers as texts": ("numbers-as-text", answered("table", first_row(draft="7.4"))),
    "a sparkline of texts": ("sparkline-data", answered("table", first_row(tide="up"))),
    "nothing at the data key": ("data-key-missing", answered("wrapped", ROWS)),
    "data as text": ("json-type", answered("log", b"[]", "text/plain")),
    "a page without its count": ("page-count", answered("ssrm", {"rowData": ROWS})),
    "a page as a list": ("page-form", answered("ssrm", ROWS)),
    "a page of all rows": ("page-size", answered("ssrm", {"rowData": ROWS * 50, "rowCount": 100})),
    "live rows without their id": ("live-row-id", answered("live", [{"draft": 1}])),
    "metric without a value": ("metric-form", answered("metric", [{"label": "Queue"}])),
    "markdown as it is": ("text-not-json", answered("markdown", b"# Plan", "text/markdown")),
    "markdown as an object": ("text-form", answered("markdown", {"content": "# Plan"})),
    "a chart without data": ("chart-form", answered("plot", {"layout": {}})),
    "a chart with typed arrays": ("chart-encoded", answered("plot", {"data": [{"y": {"bdata": "AA", "dtype": "f8"}}]})),
    "raw without rows": ("raw-not-rows", replied(lambda asked: "raw" in asked.query, 200, b"{}", **{"content-type": JSON})),
    "a spec without a mark": ("chart-form", answered("vegalite", {"data": {}})),
    "news without bodies": ("news-keys", answered("news", [{"title": "a", "date": "2026-03-01", "author": "", "excerpt": ""}])),
    "news of yesterday": (
        "news-date", answered("news", [{"title": "a", "date": "yesterday", "author": "", "excerpt": "", "body": ""}]),
    ),
    "a page as JSON": ("html-type", answered("html", "<p>")),
    "a film elsewhere": ("video-address", answered("film", "https://video.example/1", "text/plain")),
    "a file without its form": ("file-form", answered("pdf", {"content": "AA=="})),
    "a file at a path": ("file-url", answered("pdf", {"data_format": {"data_type": "pdf"}, "url": "/tide.pdf"})),
    "files as an object": ("file-form", answered("files", {})),
    "an answer without its form": ("omni-form", answered("omni", {"content": "Late."})),
    "a frame refused": ("frame-refused", headed(on("page"), x_frame_options="DENY")),
    "a frame for others": ("frame-refused", headed(on("page"), content_security_policy="frame-ancestors 'self'")),
    "options in an envelope": ("options-form", answered("ports", {"results": []})),
    "options without labels": ("options-form", answered("ports", [{"value": "RIX"}])),
    "options failed": ("data-failed", replied(at("berths"), 500, b'{"detail": "no"}')),
    "prices of different lengths": ("udf-history", answered("udf/history", {"s": "ok", "t": [1, 2], "o": [1]})),
    "the time as a text": ("udf-time", answered("udf/time", "now")),
    "no resolutions": ("udf-config", answered("udf/config", {})),
    # Forms and live tables.
    "a form that fails": ("form-failed", replied(at("log/entry", "POST"), 500)),
    "a form refused with 422": ("form-status", replied(at("log/entry", "POST"), 422, b'{"detail": "no"}')),
    "a form refused without a text": ("form-error-text", replied(at("log/entry", "POST"), 400)),
    "a form nowhere": ("data-missing", replied(at("log/entry", "POST"), 404, b'{"detail": "no"}')),
    "a WebSocket refused": ("live-refused", lambda patient: setattr(patient, "_socket", _closed)),
}  # fmt: skip
# What one fault brings along beside its own code.
BESIDE = {
    "no key asked for": {"data-unprotected"},
    "no widgets": {"app-tabs-missing"},
    "ids that differ in case": {"endpoint-shared"},
    "the same widget twice": {"endpoint-shared", "name-shared"},
    "an app with an unknown widget": {"group-widget-absent"},
    "data failed without a text": {"data-failed"},
}


def _unasked(asked: Asked, told: Told) -> Told | None:
    return _patient_answer(asked) if not asked.key and asked.method == "GET" else None


def _taken(asked: Asked, told: Told) -> Told | None:
    return _patient_answer(asked) if wrong_key(asked) else None


def _open_data(asked: Asked, told: Told) -> Told | None:
    is_list = asked.path.endswith(".json")
    return _patient_answer(asked) if not asked.key and asked.method == "GET" and not is_list else None


def _patient_answer(asked: Asked) -> Told:
    """Return what a caller with the right key gets."""
    headers = {**asked.headers, "x-api-key": KEY}
    return Patient().tell(Asked(asked.method, asked.path, headers, asked.query, asked.body))


def _other_queue(patient: Patient) -> dict[str, Any]:
    return {**patient.widgets["queue"], "name": "Another queue"}


async def _closed(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close"})


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_nothing_else_is_said(name: str) -> None:
    code, plant = FAULTS[name]
    patient = Patient()
    plant(patient)
    report = examined(patient)
    found = codes(report)
    assert code in found, report.findings
    assert found - NOTES - {code} <= BESIDE.get(name, set()), report.findings
    severities = {finding.code: finding.severity for finding in report.findings}
    assert report.ok == ("error" not in severities.values())


def test_most_faults_are_found_together() -> None:
    """Plant all faults of bodies at once: each path can have one only."""
    planted = {}
    patient = Patient()
    for name, (code, plant) in FAULTS.items():
        before = dict(patient.bodies)
        plant_copy = Patient()
        plant(plant_copy)
        for path, body in plant_copy.bodies.items():
            if body != Patient().bodies[path] and path not in planted:
                patient.bodies[path] = body
                planted[path] = code
        assert before.keys() == patient.bodies.keys(), name
    found = codes(examined(patient))
    assert set(planted.values()) <= found
