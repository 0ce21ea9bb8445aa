"""A backend in good health: nothing is said against it, it is asked politely, and nothing is left out."""

from __future__ import annotations

from tests.doctor.patient import KEY, WIDGETS, Patient
from tests.loopback import serving
from widgets_app.doctor import Limits, Report, Target, examine

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


def test_the_key_is_in_no_finding() -> None:
    patient = Patient()
    patient.hooks.append(lambda asked, told: setattr(told, "status", 500) if asked.path == "table" else None)
    report = examined(patient, headers={}, query={"api_key": "very-secret"})
    assert "very-secret" not in str(report.document())
