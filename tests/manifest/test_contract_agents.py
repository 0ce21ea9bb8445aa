from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.manifest.test_contract import GONE, JSON, assert_well_formed, brief, changed, wanted
from widgets_app.manifest.contract import BREAKING, as_imported, breaks_agent, check_agent, check_agents

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

AGENT: dict[str, Any] = {
    "name": "Depot clerk",
    "description": "Answers questions about trams.",
    "image": "https://example.org/clerk.png",
    "endpoints": {"query": "/clerk/ask"},
    "features": {
        "streaming": True,
        "widget-dashboard-select": False,
        "mcp-tools": True,
        "night": {"label": "Night lines", "default": False, "description": "Looks at night lines too"},
        "tone": {"label": "Tone", "type": "text", "default": "dry", "description": "d", "placeholder": "dry"},
        "model": {
            "label": "Model",
            "type": "select",
            "default": "small",
            "description": "Which model answers",
            "options": [{"label": "Small", "value": "small"}, {"label": "Large", "value": "large"}],
        },
    },
}
CHOICE = "features.model.options[1]"

FAULTS: list[tuple[Any, ...]] = [
    ("name", GONE, "error agent-name-missing"),
    ("name", " ", "error agent-name-missing"),
    ("description", "", "error agent-description"),
    ("image", GONE, None),
    ("image", None, None),
    ("image", "clerk.png", "warning agent-image"),
    ("image", 5, "error wrong-type"),
    ("endpoints", GONE, "error agent-query-missing endpoints.query"),
    ("endpoints", [], "error wrong-type", "error agent-query-missing endpoints.query"),
    ("endpoints.query", "", "error agent-query-missing"),
    ("endpoints.query", "https://clerk.example.org/ask", None),
    ("endpoints.query", "ftp://clerk.example.org/", "error agent-query"),
    ("endpoints.query", "http://[broken", "error agent-query"),
    ("endpoints.query", "/-/health", "error endpoint-reserved"),
    ("endpoints.answer", "/answer", "warning agent-key-unknown"),
    ("endpoints.feedback", "/feedback", "info agent-key-unknown"),
    ("endpoint", "/clerk", "warning agent-key-unknown"),
    ("hasStreaming", True, "warning agent-key-legacy"),
    ("hasDocuments", False, "warning agent-key-legacy"),
    ("features", GONE, "error agent-features-missing"),
    ("features", {}, None),
    ("features", True, "error wrong-type"),
    ("features.streaming", "true", "error wrong-type"),
    ("features.widget_dashboard_search", True, "warning key-spelling"),
    ("features.mcp_tools", True, "info agent-feature-unknown"),
    ("Features", {}, "warning agent-key-unknown"),
    ("features.feedback", True, None),
    ("features.night", True, "info agent-feature-unknown"),
    ("features.night", "yes", "error wrong-type"),
    ("features.night", None, "error wrong-type"),
    ("features.night.label", GONE, "warning agent-feature-texts"),
    ("features.night.description", "", "warning agent-feature-texts"),
    ("features.night.default", "no", "error wrong-type"),
    ("features.night.default", GONE, None),
    ("features.night.place_holder", "x", "warning key-spelling"),
    ("features.tone.type", "area", "error agent-feature-type"),
    ("features.tone.default", True, "error wrong-type"),
    ("features.tone.placeholder", 5, "error wrong-type"),
    ("features.model.options", GONE, "error agent-feature-options", "warning agent-feature-default features.model.default"),
    ("features.model.options", {}, "error wrong-type", "error agent-feature-options",
     "warning agent-feature-default features.model.default"),
    ("features.model.default", "huge", "warning agent-feature-default"),
    ("features.model.default", GONE, None),
    (CHOICE, "large", "error agent-feature-options"),
    (CHOICE + ".value", [], "error agent-feature-options " + CHOICE),
    (CHOICE + ".label", GONE, "error agent-feature-options " + CHOICE),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "expected"), [(row[0], row[1], row[2:]) for row in FAULTS])
def test_each_fault_of_an_agent_is_found_where_it_is(place: str, value: object, expected: tuple[str | None, ...]):
    findings = check_agent("depot-clerk", changed(AGENT, place, value))
    assert sorted(brief(findings)) == sorted(wanted(place, expected))


def test_an_agent_that_is_right_has_no_findings():
    assert check_agents({"depot-clerk": AGENT}) == {"depot-clerk": []}


@pytest.mark.parametrize(
    ("agent_id", "severity"), [("depot_clerk", "info"), ("Depot", "warning"), ("", "warning"), ("a b", "warning")]
)
def test_an_unusual_id_is_told_and_one_that_examples_have_only_mentioned(agent_id: str, severity: str):
    assert brief(check_agent(agent_id, AGENT)) == [(severity, "agent-id", "")]


def test_agents_with_one_name_are_warned_about():
    found = check_agents({"a": AGENT, "b": AGENT, "c": {**AGENT, "name": "Other"}, "d": None})
    assert {key: brief(findings) for key, findings in found.items()} == {
        "a": [("warning", "agent-name-shared", "name")],
        "b": [("warning", "agent-name-shared", "name")],
        "c": [],
        "d": [("error", "agent-not-object", "")],
    }


def test_an_old_switch_says_which_feature_it_became():
    streaming, documents = (
        check_agent("a", {**AGENT, key: True})[0].fix for key in ("hasStreaming", "hasDocuments")
    )  # fmt: skip
    assert '"streaming" in "features"' in streaming
    assert '"features"' in documents


def test_only_what_makes_workspace_refuse_the_agent_breaks_it():
    assert breaks_agent("a", AGENT) is None
    assert breaks_agent("?", {"name": "n", "endpoints": {"query": "q"}}) is None
    broken: list[tuple[object, str]] = [
        ([], "agent-not-object"),
        ({"endpoints": {"query": "q"}}, "agent-name-missing"),
        ({"name": "n"}, "agent-query-missing"),
        ({"name": "n", "endpoints": "q"}, "agent-query-missing"),
        ({"name": "n", "endpoints": {"query": 5}}, "agent-query-missing"),
    ]
    for agent, code in broken:
        found = breaks_agent("a", agent)
        assert found is not None
        assert (found.severity, found.code) == ("error", code)
        assert found in check_agent("a", agent)
        assert "error" in {finding.severity for finding in as_imported([found])}


def test_a_name_that_no_page_can_show_is_told_without_it():
    (finding,) = check_agent("a", changed(AGENT, "features", {"\0": None}))
    assert (finding.where, finding.message[:3]) == ('features["\\u0000"]', '"?"')


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_agent_with_any_json_at_any_place_is_checked_without_an_exception(data: st.DataObject):
    places = ["name", "image", "endpoints", "endpoints.query", "features", "features.model", "features.model.default",
              "features.model.options", CHOICE, CHOICE + ".value", "features.tone.default", "more"]  # fmt: skip
    agent = changed(AGENT, data.draw(st.sampled_from(places)), data.draw(JSON))
    agent_id = data.draw(st.text(max_size=3))
    found = check_agents({agent_id: agent, "other": AGENT})
    assert_well_formed(found[agent_id])
    assert (breaks_agent(agent_id, agent) is not None) == any(f.code in BREAKING for f in found[agent_id])
    assert_well_formed(check_agent("a", data.draw(JSON)))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real definitions is not beside this checkout")
def test_findings_on_real_agents_are_few():
    seen: Counter[str] = Counter()
    for path in sorted(CORPUS.glob("*/agents*.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # some files are broken on purpose
            continue
        for findings in check_agents(document).values():
            assert_well_formed(findings)
            seen.update(finding.code for finding in findings if finding.severity != "info")
            seen["agents"] += 1
    assert seen.pop("agents") >= 20
    # The files from before there were features, and one without an address for questions.
    assert seen == {
        "agent-key-legacy": 12,
        "agent-features-missing": 5,
        "agent-query-missing": 1,
        "agent-key-unknown": 2,
    }
