from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import Ask
from widgets_app.shapes.newsfeed import EXCERPT_LENGTH, Newsfeed
from widgets_app.sources.frame import Frame


def articles(one: Frame | None, data_key: str = "", **options: str) -> Any:
    return orjson.loads(Newsfeed().render(one, Newsfeed.Options(**options), Ask(data_key=data_key)).content)


def test_articles_have_five_texts_and_the_newest_comes_first() -> None:
    rows = frame(
        {"title": "Old", "date": "2026-02-28", "author": None, "excerpt": "e", "body": "# b", "other": 1},
        {
            "title": 7,
            "date": "2026-03-01T08:00:00Z",
            "author": "Desk",
            "excerpt": None,
            "body": "## New\n\nText",
            "other": 2,
        },
    )
    assert articles(rows) == [
        {
            "title": "7",
            "date": "2026-03-01T08:00:00Z",
            "author": "Desk",
            "excerpt": "## New Text",
            "body": "## New\n\nText",
        },
        {"title": "Old", "date": "2026-02-28T00:00:00Z", "author": "", "excerpt": "e", "body": "# b"},
    ]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01 08:00:00", "2026-03-01T08:00:00Z"),
        ("2026-03-01T08:00:00+02:00", "2026-03-01T08:00:00+02:00"),
        ("2026-03-01T08:00:00.25Z", "2026-03-01T08:00:00.250000Z"),
        (None, "1970-01-01T00:00:00Z"),
        ("", "1970-01-01T00:00:00Z"),
    ],
)
def test_dates_are_written_in_iso_8601(given: str | None, sent: str) -> None:
    assert articles(frame({"title": "a", "date": given}))[0]["date"] == sent


def test_times_of_several_zones_are_put_in_order_and_no_date_comes_last() -> None:
    dates = [None, "2026-03-01T10:00:00+09:00", "2026-03-01T02:00:00Z", "2026-03-01 01:30:00"]
    rows = frame(*({"title": str(number), "date": date} for number, date in enumerate(dates)))
    assert [one["title"] for one in articles(rows)] == ["2", "3", "1", "0"]


def test_chosen_columns_take_the_place_of_the_usual_ones() -> None:
    rows = frame({"headline": "H", "at": "2026-03-01", "by": "B", "sum": "S", "content": "C"})
    chosen = {"title": "headline", "date": "at", "author": "by", "excerpt": "sum", "body": "content"}
    assert list(articles(rows, **chosen)[0].values()) == ["H", "2026-03-01T00:00:00Z", "B", "S", "C"]


def test_the_start_of_a_long_body_stands_in_for_the_excerpt() -> None:
    excerpt = articles(frame({"title": "a", "date": None, "body": "word " * 100}))[0]["excerpt"]
    assert len(excerpt) == EXCERPT_LENGTH
    assert excerpt.endswith("…")


@pytest.mark.parametrize("one", [None, frame(), frame(title="text", date="date")])
def test_no_rows_are_an_empty_list(one: Frame | None) -> None:
    assert articles(one) == []


@pytest.mark.parametrize(("part", "name"), [("title", "title"), ("date", "date"), ("author", "desk"), ("body", "text")])
def test_a_column_that_is_missing_is_named(part: str, name: str) -> None:
    with pytest.raises(SourceFailed, match=f'"{name}", but its data has: headline'):
        articles(frame({"headline": "x"}), **{"title": "headline", "date": "headline", part: name})


def test_text_that_is_no_date_is_refused_with_an_example() -> None:
    with pytest.raises(SourceFailed, match=r'"date" has "yesterday", which is not a date\. Give dates such as'):
        articles(frame({"title": "a", "date": "yesterday"}))


def test_the_list_is_put_at_the_data_key() -> None:
    assert articles(frame({"title": "a", "date": None}), "results")["results"][0]["title"] == "a"
