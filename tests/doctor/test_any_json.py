"""Whatever a backend says, the doctor says something about it and raises nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doctor.patient import JSON, WIDGETS, Patient
from tests.doctor.test_healthy import codes, examined
from widgets_app.doctor import bodies
from widgets_app.doctor.probe import Seen
from widgets_app.doctor.questions import Question, questions
from widgets_app.manifest.contract.findings import as_object

words = st.sampled_from([
    "rowData", "rowCount", "data", "layout", "series", "mark", "label", "value", "title", "date", "author", "content",
    "data_format", "data_type", "parse_as", "url", "s", "t", "o", "h", "l", "c", "ok", "vessel", "draft", "tide", "results",
    "rows", "supported_resolutions", "error_type", "bdata", "text", "pdf",
])  # fmt: skip
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5),
    max_leaves=12,
)
parts = st.dictionaries(
    st.sampled_from([
        "paramName", "type", "value", "optionsEndpoint", "optionsParams", "endpoint", "inputParams", "multiSelect", "data",
        "table", "columnsDefs", "field", "sparkline", "dataKey", "params", "name", "raw", "refetchInterval", "wsEndpoint",
        "defaultSymbol", "staleTime", "runButton", "roles", "cellDataType", "source", "gridData",
    ]),
    anything | st.just("form") | st.just("port") | st.just("$currentDate-1w"),
    max_size=6,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(key=st.sampled_from(sorted(WIDGETS)), what=st.sampled_from(["data", "raw", "options", "udf"]), body=anything)
def test_any_body(key: str, what: str, body: Any) -> None:
    one = Question(key, what, f"udf/{what}" if what != "udf" else "udf/history")
    seen = Seen("http://127.0.0.1/", 200, {"content-type": JSON}, json.dumps(body).encode())
    for said in bodies.check(one, WIDGETS[key], seen):
        assert said.code
        assert said.fix


@settings(max_examples=300, deadline=None)
@given(definition=anything | parts, params=anything | st.lists(parts, max_size=3), key=st.sampled_from(sorted(WIDGETS)))
def test_any_definition(definition: Any, params: Any, key: str) -> None:
    for one in questions("w", as_object(definition)):
        assert one.place
    for one in questions("w", {**WIDGETS[key], "params": params}):
        assert one.place
        assert all(isinstance(value, str) for value in one.query.values())


@settings(max_examples=25, deadline=None)
@given(widgets=st.dictionaries(words, anything | parts, max_size=3), apps=anything, agents=anything, body=anything)
def test_any_backend(widgets: Any, apps: Any, agents: Any, body: Any) -> None:
    patient = Patient()
    patient.widgets |= widgets
    patient.apps, patient.agents = apps, agents
    for key, definition in widgets.items():
        if isinstance(definition, dict) and isinstance(definition.get("endpoint"), str):
            patient.bodies.setdefault(definition["endpoint"].strip("/"), (JSON, body))
        patient.widgets[key] = definition
    assert codes(examined(patient))
