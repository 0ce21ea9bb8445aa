"""A backend in good health: nothing is said against it, it is asked politely, and nothing is left out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.doctor.patient import KEY, WIDGETS, Asked, Patient, Told, refusal
from tests.loopback import serving
from widgets_app.doctor import Limits, Report, Target, examine
from widgets_app.doctor.redaction import HIDDEN

NOTES = {"http-on-loopback", "local-network", "iframe-path"}


def examined(patient: Patient, *, limits: Limits | None = None, **target: object) -> Report:
    with serving(patient, ws="websockets-sansio") as (port, _):
        given = {"url": f"http://127.0.0.1:{port}", "headers": {"X-API-KEY": KEY}, **target}
        return examine(Target(**given), limits=limits)  # type: ignore[arg-type]


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def test_nothing_is_said_against_it() -> None:
    report = examined(Patient())
    assert codes(report) <= NOTES, report.findings
    assert report.ok


def test_everything_of_it_is_asked_for() -> None:
    patient = Patient()
    report = examined(patient)
    asked = {(one.method, one.path) for one in patient.asked}
    for path in ("table", "plot", "udf/history", "ports", "berths", "docs", "page", "apps.json", "agents.json"):
        assert ("GET", path) in asked, path
    for path in ("ssrm", "files", "omni", "log/entry"):
        assert ("POST", path) in asked, path
    assert report.checked["widgets"] == len(WIDGETS)
    assert report.checked["requests"] == len(patient.asked) + 1  # a WebSocket


def test_a_dropdown_is_asked_for_with_the_value_that_it_follows() -> None:
    patient = Patient()
    examined(patient)
    assert {tuple(one.query.get("port", ())) for one in patient.asked if one.path == "berths"} >= {("RIX",)}


def test_few_things_are_asked_at_once() -> None:
    patient = Patient()
    examined(patient, limits=Limits(at_once=2))
    assert patient.most_at_once <= 2


def test_forms_are_sent_only_where_that_is_wanted_and_always_empty() -> None:
    patient = Patient()
    examined(patient)
    assert {one.body for one in patient.asked if one.path == "log/entry" and one.method == "POST"} == {b"{}"}
    patient.asked.clear()
    examined(patient, send_forms=False)
    assert not [one for one in patient.asked if one.path == "log/entry" and one.method == "POST"]


@pytest.mark.parametrize("key", ["very-secret-key", 'quote"d-secret', "a b&c-secret"])
def test_the_key_is_in_no_finding_even_if_the_backend_repeats_it(key: str) -> None:
    patient = Patient()
    patient.hooks.append(lambda asked, told: refusal(500, f"No: {key} \x1b[31m") if asked.path == "table" else None)
    patient.hooks.append(lambda asked, told: None if asked.key else told)
    patient._answer = lambda asked, answer=patient._answer: answer(replace(asked, headers={"x-api-key": KEY}))  # type: ignore[method-assign, misc]
    report = examined(patient, headers={"X-API-KEY": key})
    text = str(report.document())
    assert "data-failed" in codes(report)
    assert HIDDEN in text
    assert key not in text
    assert json.dumps(key)[1:-1] not in text
    assert "\x1b" not in "".join(finding.message for finding in report.findings)


def test_short_credentials_leave_the_words_of_findings_alone() -> None:
    report = examined(Patient(), headers={"X-API-KEY": KEY, "X-Other": "e"})
    assert report.ok
    assert {finding.severity for finding in report.findings} <= {"warning", "info"}


def test_a_backend_without_keys_that_allows_every_page_is_healthy() -> None:
    """As FastAPI does with CORSMiddleware and stars: the usual way of examples."""
    patient = Patient()
    patient._answer = lambda asked, answer=patient._answer: answer(replace(asked, headers={"x-api-key": KEY}))  # type: ignore[method-assign, misc]

    def starred(asked: Asked, told: Told) -> Told | None:
        told.headers["access-control-allow-origin"] = "*"
        told.headers.pop("access-control-allow-credentials", None)
        if asked.method != "OPTIONS":
            return None
        is_private = "access-control-request-private-network" in asked.headers
        told.headers["access-control-allow-headers"] = "content-type"
        return Told(400 if is_private else 200, b"OK", told.headers)

    patient.hooks.append(starred)
    report = examined(patient, headers={})
    assert codes(report) <= NOTES | {"key-not-used", "private-network"}, report.findings


def test_an_odd_endpoint_is_not_asked_and_ends_nothing() -> None:
    patient = Patient()
    for number, endpoint in enumerate(
        ("wss://other.example/x", "ftp://a", "https://u:p@x", "a\nb", "http://[x", "\ud800")
    ):
        patient.widgets[f"odd{number}"] = {**patient.widgets["queue"], "name": f"Odd {number}", "endpoint": endpoint}
    report = examined(patient)
    assert report.checked["widgets"] == len(patient.widgets)
    assert all(text.isprintable() for finding in report.findings for text in (finding.where, finding.message))
    assert ("POST", "omni") in {(one.method, one.path) for one in patient.asked}
