"""The rows of a collection in the admin: a list with its columns, and a form that keeps the rules of forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.admin.conftest import Open, url
from tests.admin.pages import Form, Page, messages
from widgets_app.models import CollectionRow, Source

pytestmark = pytest.mark.django_db

COLUMNS = ["vessel: text", "tons: number", "in_port: boolean", "arrived: date", "seen: datetime"]
FULL = {"vessel": "Aurora", "tons": 12.5, "in_port": True, "arrived": "2024-02-29", "seen": "2024-02-29T10:00:30"}


@pytest.fixture
def log(db: None) -> Source:
    options = {"columns": COLUMNS, "key": ["vessel"], "max_rows": 3}
    return Source.objects.create(name="log", kind="collection", options=options)


def listed(source: Source) -> str:
    return f"{url('collectionrow')}?source={source.pk}"


def adding(client: Client, source: Source) -> Form:
    return Page(client, f"{url('collectionrow', 'add')}?source={source.pk}").form("collectionrow_form")


def cells(**values: Any) -> dict[str, Any]:
    return {f"column__{name}": value for name, value in values.items()}


def store(source: Source, **data: Any) -> CollectionRow:
    return CollectionRow.objects.create(source=source, data={**dict.fromkeys(FULL), **data}, created_by="Ana")


def test_a_row_is_entered_with_the_types_of_its_columns(log: Source, boss: Client) -> None:
    form = adding(boss, log)
    response = form.send(
        **cells(vessel=" Aurora\r\n", tons="12.5", in_port="on", arrived="2024-02-29", seen="2024-02-29T10:00:30")
    )
    assert response["Location"] == listed(log)
    row = CollectionRow.objects.get()
    assert (row.data, row.source, row.created_by) == ({**FULL, "vessel": " Aurora\n"}, log, "boss")
    assert LogEntry.objects.get().object_repr == f"row {row.pk}"


def test_what_is_left_empty_has_no_value(log: Source, boss: Client) -> None:
    assert adding(boss, log).send(**cells(vessel="Aurora", seen=" ")).status_code == 302
    assert CollectionRow.objects.get().data == {**dict.fromkeys(FULL), "vessel": "Aurora", "in_port": False}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tons": "many"}, '"tons" can\'t be "many". Send a number such as 30.'),
        ({"tons": "1e999"}, '"tons" can\'t be "1e999"'),
        ({"tons": "9" * 5000}, '"tons" can\'t be "999'),
        ({"tons": "NaN"}, '"tons" can\'t be "NaN"'),
        ({"arrived": "soon"}, '"arrived" can\'t be "soon". Send a date such as 2026-03-01.'),
        ({"arrived": "2024-02-30"}, "Send a date such as"),
        ({"seen": "10:00"}, "Send a date and time such as 2026-03-01T14:30."),
        ({"vessel": "x" * 10_001}, "Send a text of up to 10,000 usual characters."),
        ({"vessel": "x\0"}, "Send a text of up to 10,000 usual characters."),
        ({"vessel": ""}, '"vessel" has no value, but rows are found by it. Fill it in.'),
        ({"vessel": "Borealis"}, 'There is a row with vessel "Borealis" already. Change that one.'),
    ],
)  # fmt: skip
def test_what_a_form_would_be_refused_for_is_refused_here(
    log: Source, boss: Client, values: dict[str, Any], says: str
) -> None:
    store(log, vessel="Borealis")
    row = store(log, vessel="Aurora", tons=1)
    for form in (adding(boss, log).fill(**cells(vessel="Calypso")), changing(boss, row)):
        assert says in form.errors(**cells(**values))
    assert [row.data["tons"] for row in CollectionRow.objects.all()] == [None, 1]
    assert not LogEntry.objects.exists()


def test_a_row_without_its_key_is_refused(log: Source, boss: Client) -> None:
    assert '"vessel" has no value' in adding(boss, log).errors(**cells(vessel=None))
    assert not CollectionRow.objects.exists()


def changing(client: Client, row: CollectionRow) -> Form:
    return Page(client, url("collectionrow", "change", row.pk)).form("collectionrow_form")


def test_a_full_collection_takes_no_more(log: Source, boss: Client) -> None:
    for vessel in ("A", "B", "C"):
        row = store(log, vessel=vessel)
    assert "The collection is full: it has 3 rows." in adding(boss, log).errors(**cells(vessel="D"))
    assert changing(boss, row).send(**cells(tons="1")).status_code == 302
    assert CollectionRow.objects.count() == 3


def test_fields_that_are_no_columns_are_passed_over(log: Source, boss: Client) -> None:
    row = store(log, vessel="Aurora")
    other = Source.objects.create(name="other", kind="collection", options={"columns": COLUMNS})
    extra = {**cells(created_by="Eve", tons2="1"), "data": "{}", "source": str(other.pk), "created_by": "Eve"}
    assert changing(boss, row).send(**extra, **cells(tons="2")).status_code == 302
    row.refresh_from_db()
    assert (row.source, row.created_by) == (log, "Ana")
    assert row.data == {**dict.fromkeys(FULL), "vessel": "Aurora", "tons": 2}


def test_a_row_that_nobody_touched_stays_to_the_letter(log: Source, boss: Client) -> None:
    data = {
        "vessel": " a \n b", "tons": 1e20, "in_port": None, "arrived": "2024-02-29",
        "seen": "2024-02-29T10:00:00.123456+02:00", "gone": [1],
    }  # fmt: skip
    row = CollectionRow.objects.create(source=log, data=data)
    form = changing(boss, row)
    assert form["column__seen"] == "2024-02-29T08:00:00.123"
    assert form.send().status_code == 302
    row.refresh_from_db()
    assert row.data == data


def test_browsers_that_leave_seconds_out_change_nothing(log: Source, boss: Client) -> None:
    row = store(log, **{**FULL, "seen": "2024-02-29T10:00:00"})
    assert changing(boss, row).send(**cells(seen="2024-02-29T10:00")).status_code == 302
    assert LogEntry.objects.get().get_change_message() == "No fields changed."


def test_a_changed_row_keeps_what_was_not_changed(log: Source, boss: Client) -> None:
    row = store(log, **FULL)
    assert changing(boss, row).send(**cells(vessel="Borealis", in_port=None, tons="")).status_code == 302
    row.refresh_from_db()
    assert row.data == {**FULL, "vessel": "Borealis", "in_port": False, "tons": None}
    assert "tons" in LogEntry.objects.get().get_change_message()


def test_a_page_from_before_a_column_came_does_not_empty_it(log: Source, boss: Client) -> None:
    row = store(log, vessel="Aurora")
    form = changing(boss, row)
    log.options = {**(log.options or {}), "columns": [*COLUMNS, "port: text"]}
    log.save()
    CollectionRow.objects.update(data={**row.data, "port": "Oslo"})
    assert form.send(**cells(tons="3")).status_code == 302
    row.refresh_from_db()
    assert (row.data["tons"], row.data["port"]) == (3, "Oslo")


def test_a_row_that_was_deleted_meanwhile_is_not_there(log: Source, boss: Client) -> None:
    row = store(log, vessel="Aurora")
    form = changing(boss, row)
    row.delete()
    assert "Perhaps it was deleted?" in messages(form.send(**cells(tons="3")))[0]


def test_a_value_of_another_type_is_shown_and_kept(log: Source, boss: Client) -> None:
    row = store(log, vessel="Aurora", tons="many")
    page = Page(boss, url("collectionrow", "change", row.pk))
    assert "The row has “many” here, which is no number" in page.text
    assert page.form("collectionrow_form")["column__tons"] == ""
    assert page.form("collectionrow_form").send(**cells(arrived="2024-01-01")).status_code == 302
    row.refresh_from_db()
    assert (row.data["tons"], row.data["arrived"]) == ("many", "2024-01-01")


def test_a_column_that_is_taken_away_and_given_back_has_its_values(log: Source, boss: Client, change: Open) -> None:
    row = store(log, **FULL)
    response = change(log).send(options__collection__columns="vessel: text, arrived: text")
    (told, _) = messages(response)
    assert "Rows stored: 1. Their values of tons, in_port, seen stay stored, but are seen no more." in told
    assert "Their values of arrived stay as they are." in told
    assert changing(boss, row).send(**cells(arrived="soon")).status_code == 302
    assert len(messages(change(log).send(options__collection__columns=", ".join(COLUMNS)))) == 2
    row.refresh_from_db()
    assert row.data == {**FULL, "arrived": "soon"}


def test_columns_of_a_collection_without_rows_go_without_a_word(log: Source, change: Open) -> None:
    assert len(messages(change(log).send(options__collection__columns="vessel: text"))) == 1


def test_the_list_has_the_columns_of_its_collection(log: Source, boss: Client) -> None:
    other = Source.objects.create(name="other", kind="collection", options={"columns": ["port: text"]})
    store(log, **FULL)
    CollectionRow.objects.create(source=other, data={"port": "Oslo" * 50})
    text = Page(boss, listed(log)).text
    assert "Vessel Tons In_port Arrived Seen Created by Updated at" in text
    assert "Aurora 12.5" in text
    assert "2024-02-29 2024-02-29 10:00:30 Ana" in text
    assert "Oslo" not in text
    assert "Oslo" * 25 + "…" in Page(boss, listed(other)).text


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("auror", ["Aurora"]),
        (" AURORA ", ["Aurora"]),
        ("12.5", ["Aurora"]),
        ("2024-02", ["Aurora"]),
        ("100%", ["100% \"quoted\" ~é!"]),
        ('"quoted" ~é', ["100% \"quoted\" ~é!"]),
        ("é!", ["100% \"quoted\" ~é!"]),
        ("_", []),
        ("vessel", []),
        ("secret", []),
        ("'; drop table x; --", []),
    ],
)  # fmt: skip
def test_rows_are_found_by_parts_of_their_values(log: Source, boss: Client, asked: str, found: list[str]) -> None:
    store(log, **FULL, gone="secret")
    store(log, vessel='100% "quoted" ~é!')
    response = boss.get(url("collectionrow"), {"source": str(log.pk), "q": asked})
    assert [row.data["vessel"] for row in response.context["cl"].result_list] == found


def test_an_empty_list_says_what_to_do(log: Source, boss: Client, staff: Callable[..., Client]) -> None:
    page = Page(boss, listed(log))
    assert "No row yet Add one here, or have a form of a widget add them" in page.text
    assert f"{url('collectionrow', 'add')}?source={log.pk}" in page.html
    assert "No row yet Have a form of a widget add them" in Page(staff("view_collectionrow"), listed(log)).text
    assert "No row has “x” in one of its values." in Page(boss, f"{listed(log)}&q=x").text


def test_a_list_without_a_collection_leads_to_the_sources(log: Source, boss: Client, files_source: Source) -> None:
    for address in (url("collectionrow"), f"{url('collectionrow')}?source=x", url("collectionrow", "add")):
        response = boss.get(address)
        assert response["Location"] == f"{url('source')}?kind__exact=collection"
    response = boss.get(listed(files_source))
    assert response["Location"] == url("source", "change", files_source.pk)
    assert "“market” keeps no rows." in messages(response)[-1]


def test_a_row_is_deleted_after_a_question_and_several_at_once(log: Source, boss: Client) -> None:
    rows = [store(log, vessel=vessel) for vessel in "ABC"]
    address = url("collectionrow", "delete", rows[0].pk)
    assert "Rows: 1 Objects vessel: A" in Page(boss, address).text
    assert boss.post(address, {"post": "yes"})["Location"] == listed(log)
    chosen = {"action": "delete_selected", "_selected_action": [rows[1].pk, rows[2].pk], "index": "0"}
    assert "2 of the rows of log" in boss.post(listed(log), chosen).content.decode()
    assert CollectionRow.objects.count() == 2
    boss.post(listed(log), {**chosen, "post": "yes"})
    assert not CollectionRow.objects.exists()


def test_all_that_a_search_finds_is_deleted_and_nothing_else(log: Source, boss: Client) -> None:
    other = Source.objects.create(name="other", kind="collection", options={"columns": COLUMNS})
    kept = [store(log, vessel="Borealis"), store(other, vessel="Aurora")]
    found = store(log, vessel="Aurora")
    chosen = {"action": "delete_selected", "_selected_action": [found.pk], "select_across": "1", "index": "0"}
    boss.post(f"{listed(log)}&q=aur", {**chosen, "post": "yes"})
    assert [*CollectionRow.objects.all()] == kept


def test_each_permission_opens_what_it_names(log: Source, staff: Callable[..., Client]) -> None:
    row = store(log, **FULL)
    pages = {
        "view": lambda client: client.get(listed(log)),
        "add": lambda client: client.post(f"{url('collectionrow', 'add')}?source={log.pk}", cells(vessel="Borealis")),
        "change": lambda client: client.post(url("collectionrow", "change", row.pk), cells(vessel="Calypso")),
        "delete": lambda client: client.post(url("collectionrow", "delete", row.pk), {"post": "yes"}),
    }
    stranger = staff("view_source", "change_source", "delete_source")
    assert [page(stranger).status_code for page in pages.values()] == [403] * 4
    looker = staff("view_collectionrow")
    assert [page(looker).status_code for page in pages.values()] == [200, 403, 403, 403]
    assert [row.data for row in CollectionRow.objects.all()] == [FULL]
    for name in ("add", "change", "delete"):
        assert pages[name](staff(f"{name}_collectionrow")).status_code == 302
    assert [row.data["vessel"] for row in CollectionRow.objects.all()] == ["Borealis"]


def test_who_may_only_look_sees_the_values_and_no_inputs(log: Source, staff: Callable[..., Client]) -> None:
    client = staff("view_collectionrow")
    page = Page(client, url("collectionrow", "change", store(log, **FULL).pk))
    assert "Aurora" in page.text
    assert "2024-02-29 10:00:30" in page.text
    assert not [name for name in page.form("collectionrow_form").data if name.startswith("column__")]
    assert "delete_selected" not in Page(client, listed(log)).html


def test_the_page_of_a_collection_counts_its_rows_and_leads_to_them(
    log: Source, boss: Client, staff: Callable[..., Client]
) -> None:
    page = url("source", "change", log.pk)
    assert "No row yet. Add one here" in Page(boss, page).text
    store(log, vessel="Aurora")
    assert "Rows 1 of at most 3. See the rows Add a row" in Page(boss, page).text
    assert listed(log) in Page(boss, page).html
    text = Page(staff("view_source"), page).text
    assert "1 of at most 3." in text
    assert "See the rows" not in text


def test_a_collection_with_rows_is_deleted_by_who_may_delete_both(log: Source, staff: Callable[..., Client]) -> None:
    store(log, vessel="Aurora")
    address = url("source", "delete", log.pk)
    assert staff("view_source", "delete_source").post(address, {"post": "yes"}).status_code == 403
    assert CollectionRow.objects.exists()
    assert (
        staff("view_source", "delete_source", "delete_collectionrow").post(address, {"post": "yes"}).status_code == 302
    )
    assert not CollectionRow.objects.exists()


def test_rows_are_not_found_by_the_search_for_definitions(log: Source, boss: Client) -> None:
    row = store(log, vessel="Aurora")
    html = boss.get("/admin/search/", {"s": "Aurora", "extended": "1"}).content.decode()
    assert url("collectionrow", "change", row.pk) not in html


def queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as found:
        assert client.get(address).status_code == 200
    return len(found)


def test_ten_thousand_rows_take_as_many_queries_as_one(log: Source, boss: Client) -> None:
    row = store(log, **FULL)
    Source.objects.update(options={"columns": COLUMNS, "key": ["vessel"], "max_rows": 20_000})
    addresses = [
        listed(log), f"{listed(log)}&q=aurora", url("collectionrow", "change", row.pk), url("source", "change", log.pk),
        url("source", "delete", log.pk),
    ]  # fmt: skip
    few = [queries(boss, address) for address in addresses]
    data = ({**FULL, "vessel": f"Aurora {n}"} for n in range(10_000))
    CollectionRow.objects.bulk_create(CollectionRow(source=log, data=each) for each in data)
    assert [queries(boss, address) for address in addresses] == few
    assert max(few) < 20
    assert "Aurora 9999" in Page(boss, listed(log)).text
    assert "Aurora 9899" in Page(boss, f"{listed(log)}&p=2").text
    form = adding(boss, log)
    with CaptureQueriesContext(connection) as found:
        assert "already" in form.errors(**cells(vessel="Aurora 7"))
        assert form.send(**cells(vessel="Borealis")).status_code == 302
    assert len(found) < 60
    every = {
        "action": "delete_selected",
        "_selected_action": [row.pk],
        "select_across": "1",
        "index": "0",
        "post": "yes",
    }
    with CaptureQueriesContext(connection) as found:
        boss.post(listed(log), every)
    assert sum('FROM "widgets_app_collectionrow"' in query["sql"] for query in found) < 5
    assert not CollectionRow.objects.exists()
