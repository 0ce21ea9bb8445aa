"""Looking at sources within limits: slots, time, how often; a table is read only where the source lists it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import refresh
from widgets_app import catalog
from widgets_app.errors import Busy, DefinitionError, NotFound, SourceFailed, SourceTimeout
from widgets_app.models import CollectionRow, Source
from widgets_app.services import exploring
from widgets_app.sources.base import Call, Limits, Step, Table
from widgets_app.sources.files import FilesBackend

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _uncounted() -> Iterator[None]:
    exploring._tests.clear()
    yield
    exploring._tests.clear()


def test_steps_are_timed_but_for_those_that_tell_too_much(
    files_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(*_: Any) -> Iterator[Step]:
        time.sleep(0.05)
        yield Step("Slow", "")
        yield Step("Secret", "", timed=False)

    monkeypatch.setattr(FilesBackend, "check", check)
    slow, secret = exploring.source_test(files_source)
    assert 50 <= (slow.milliseconds or 0) < 5000
    assert secret.milliseconds is None


@pytest.mark.parametrize(("error", "text"), [
    (SourceFailed("The folder is gone."), "The folder is gone."),
    (DefinitionError("The text is wrong."), "The text is wrong."),
    (RuntimeError("/secret/path"), "failed for a reason that only the log tells"),
])  # fmt: skip
def test_what_is_raised_becomes_the_last_step(
    files_source: Source, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    def check(*_: Any) -> Iterator[Step]:
        yield Step("First", "")
        raise error

    monkeypatch.setattr(FilesBackend, "check", check)
    first, last = exploring.source_test(files_source)
    assert (first.step.name, last.step.state) == ("First", "bad")
    assert text in last.step.text
    assert "/secret/path" not in last.step.text


def test_looking_takes_the_slots_of_the_source(files_source: Source) -> None:
    slots = catalog.current().sources[files_source.pk].slots
    for _ in range(slots.count):
        assert slots.take()
    (step,) = exploring.source_test(files_source)
    assert f"no more than {slots.count} at once" in step.step.text
    with pytest.raises(Busy):
        exploring.source_tables(files_source)
    for _ in range(slots.count):
        slots.release()
    assert [table.name for table in exploring.source_tables(files_source).tables] == ["prices"]


def test_looking_ends_at_its_limit_and_is_cancelled(files_source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()

    def tables(_: Any, search: str, limits: Limits, call: Call) -> list[Table]:
        call.on_cancel.append(stopped.set)
        stopped.wait(60)
        return []

    monkeypatch.setattr(FilesBackend, "tables", tables)
    monkeypatch.setattr(exploring, "LOOK_SECONDS", 0.2)
    with pytest.raises(SourceTimeout, match=r"took longer than 0\.2 s"):
        exploring.source_tables(files_source)
    assert stopped.wait(10)


def test_a_table_is_looked_into_only_where_it_is_listed(files_source: Source) -> None:
    look = exploring.source_look(files_source, "prices")
    assert [column.name for column in look.columns] == ["day", "ticker", "price", "volume"]
    assert look.sample is not None
    assert look.sample.row_count == 3
    for name in ("price", "PRICES", "prices; select 1", ""):
        with pytest.raises(NotFound):
            exploring.source_look(files_source, name)


@pytest.mark.django_db(transaction=True)
def test_a_sample_has_the_rows_of_now() -> None:
    source = Source.objects.create(name="log", kind="collection", options={"columns": ["vessel: text"]})
    # Served, it stays open from one look to the next.
    refresh()
    for count in (0, 1, 2):
        look = exploring.source_look(source, "rows")
        assert look.sample is not None
        assert look.sample.row_count == count
        CollectionRow.objects.create(source=source, data={"vessel": "Aurora"}, created_by="Ana")


def test_a_sample_is_bounded(files_source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploring, "ROWS_SHOWN", 2)
    monkeypatch.setattr(exploring, "COLUMNS_SHOWN", 3)
    look = exploring.source_look(files_source, "prices")
    assert look.sample is not None
    assert (look.sample.row_count, look.sample.truncated) == (2, True)
    assert (len(look.columns), look.is_cut) == (3, True)


def test_tests_are_counted_for_each_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploring, "TESTS_PER_MINUTE", 2)
    for user in ("ana", "ana", "bert"):
        exploring.count_test(user)
    with pytest.raises(Busy, match="2 tests a minute") as raised:
        exploring.count_test("ana")
    assert 1 <= (raised.value.retry_after or 0) <= 61
    exploring.count_test("bert")
