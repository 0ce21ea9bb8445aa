from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.doctor.patient import KEY, WIDGETS, Patient, Told
from tests.loopback import free_port, serving


@pytest.fixture
def patient():
    return Patient()


@pytest.fixture
def address(patient):
    with serving(patient, ws="websockets-sansio") as (port, _):
        yield f"http://127.0.0.1:{port}"


def test_a_healthy_backend_gives_exit_code_0_and_counts(manage, home, address):
    command = manage("check_backend", address, "--key", KEY, home=home)
    assert command.wait() == 0, command.output
    assert command.lines[0].startswith(f"{address}: ")
    assert f"{len(WIDGETS)} widgets" in command.lines[0]
    assert command.lines[-1].startswith("no errors, no warnings, ")


def test_faults_give_exit_code_1_and_say_what_to_do(manage, home, patient, address):
    patient.bodies["metric"] = ("application/json", {"label": "Queue"})
    command = manage("check_backend", address, "--header", f"X-API-KEY: {KEY}", home=home)
    assert command.wait() == 1
    text = " ".join(command.output.split())
    assert "ERROR metric-form widget queue" in text
    assert '-> Answer a list of objects with "label" and "value".' in text
    assert "1 error, no warnings" in text
    assert "Traceback" not in command.output


def test_what_is_wrong_with_many_widgets_is_said_once(manage, home, patient, address):
    patient.hooks.append(lambda asked, told: told.headers.pop("access-control-allow-origin", None) and None)
    command = manage("check_backend", address, "--key", KEY, home=home)
    assert command.wait() == 1
    assert command.output.count("ERROR   cors-origin") == 1


def test_json_has_the_form_that_scripts_rely_on(manage, home, patient, address):
    patient.hooks.append(lambda asked, told: Told(404, b"") if asked.path == "apps.json" else None)
    command = manage("check_backend", address, "--query", f"api_key={KEY}", "--json", home=home)
    assert command.wait() == 1
    report = json.loads(command.output)
    assert set(report) == {"url", "ok", "checked", "findings"}
    assert (report["url"], report["ok"]) == (address, False)
    assert {"requests"} <= set(report["checked"])
    for finding in report["findings"]:
        assert set(finding) == {"severity", "code", "where", "message", "fix"}
    assert "key-place" in {finding["code"] for finding in report["findings"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--header", "no colon"], "A header is written as 'Name: value'."),
        (["--query", "nothing"], "write it as NAME=VALUE"),
        (["--seconds", "soon"], '"soon" is not a number from 1 to 3600'),
        (["--calls", "-1"], '"-1" is not a number from 1 to 100000'),
    ],
)
def test_bad_arguments_are_told_in_one_line(manage, home, arguments, said):
    command = manage("check_backend", "http://127.0.0.1:9", *arguments, home=home)
    assert command.wait() != 0
    assert said in command.output
    assert "Traceback" not in command.output


@pytest.mark.parametrize("url", ["not an address", "http://[broken", "ftp://127.0.0.1"])
def test_what_is_no_address_is_a_finding(manage, home, url):
    command = manage("check_backend", url, home=home)
    assert command.wait() == 1
    assert "url-invalid" in command.output
    assert "Traceback" not in command.output


def test_this_backend_is_clean_with_its_demo_and_needs_no_key_to_be_given(manage, home: Path):
    assert manage("load_demo", home=home).wait() == 0
    port = free_port()
    server = manage("serve", "--port", str(port), home=home, PORT=str(port))
    server.wait_until_it_serves(port)
    command = manage("check_backend", "--json", home=home, PORT=str(port))
    assert command.wait() == 0, command.output
    report = json.loads(command.output)
    assert report["url"] == f"http://127.0.0.1:{port}"
    assert [finding for finding in report["findings"] if finding["severity"] != "info"] == []
    assert report["checked"]["widgets"] > 50
    again = manage(
        "shell", "-v", "0", "-c", "from widgets_app.models import ApiKey; print(ApiKey.objects.count())", home=home
    )
    assert again.wait() == 0
    assert again.output.strip() == "0"  # the key was for that moment only
