"""Fixed rows behave like any other query."""

from __future__ import annotations

from typing import Any

from widgets_app.sources.base import Call, Limits
from widgets_app.sources.frame import FrameColumn
from widgets_app.sources.static import StaticQuery

ROWS: list[dict[str, Any]] = [{"value": "AAA", "label": "First"}, {"value": "BBB", "label": None}]


def test_the_rows_are_given_each_time():
    query = StaticQuery(ROWS)
    for _ in range(2):
        assert query.run({}, Limits(), Call()).rows() == ROWS


def test_there_are_no_placeholders_and_the_columns_are_known():
    query = StaticQuery(ROWS)
    assert query.placeholders == ()
    assert query.columns() == (FrameColumn("value", "text"), FrameColumn("label", "text"))


def test_the_row_limit_holds():
    frame = StaticQuery(ROWS).run({}, Limits(rows=1), Call())
    assert (frame.row_count, frame.truncated) == (1, True)


def test_rows_changed_later_by_their_owner_do_not_change_the_query():
    rows = [{"value": 1}]
    query = StaticQuery(rows)
    rows[0]["value"] = 2
    assert query.run({}, Limits(), Call()).rows() == [{"value": 1}]


def test_no_rows_are_an_empty_list():
    assert StaticQuery([]).run({}, Limits(), Call()).json == b"[]"
