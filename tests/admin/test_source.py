"""Sources: options by kind, uploads that are checked first, and what there is to query."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from widgets_app.models import Source

pytestmark = pytest.mark.django_db

CSV = b"ticker,price\nAAA,1\n"


def upload(content: bytes = CSV, name: str = "quotes.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


@pytest.fixture
def folder(tmp_path: Path, settings: object) -> Path:
    settings.WIDGETS_FILES = tmp_path  # type: ignore[attr-defined]  # settings of our own
    return tmp_path


def test_a_new_source_of_files_takes_a_file_and_lists_it(add: Open, boss: Client, folder: Path) -> None:
    response = add("source").send(name="desk", kind="files", upload=upload())
    assert "the table “quotes”" in messages(response)[0]
    assert (folder / "desk" / "quotes.csv").read_bytes() == CSV
    text = Page(boss, url("source", "change", Source.objects.get().pk)).text
    assert "quotes quotes.csv 19 bytes" in text.replace("\xa0", " ")


@pytest.mark.parametrize(("file", "error"), [
    (upload(b"\x89PNG\r\n\x1a\n\0\0"), "quotes.csv"),
    (upload(name="x.exe"), "can't be a table"),
    (upload(b"{", "x.json"), "x.json"),
])  # fmt: skip
def test_a_bad_file_is_refused_and_changes_nothing(
    add: Open, folder: Path, file: SimpleUploadedFile, error: str
) -> None:
    assert error in add("source").errors(name="desk", kind="files", upload=file)
    assert not Source.objects.exists()
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_for_a_name_that_is_taken_is_not_taken_in(add: Open, folder: Path) -> None:
    Source.objects.create(name="desk", kind="files")
    assert "already exists" in add("source").errors(name="desk", kind="files", upload=upload())
    assert not (folder / "desk").exists()


def test_only_the_options_of_the_chosen_kind_are_stored(add: Open, change: Open, folder: Path) -> None:
    add("source").send(name="desk", kind="files", options__files__folder="a/b")
    source = Source.objects.get()
    assert source.options == {"folder": "a/b"}
    form = change(source)
    assert form["options__files__folder"] == "a/b"
    form.send(kind="python")
    source.refresh_from_db()
    assert (source.kind, source.options) == ("python", None)


def test_a_folder_outside_is_refused_at_its_field(add: Open, folder: Path) -> None:
    assert "Name a folder below files/" in add("source").errors(name="x", kind="files", options__files__folder="../x")


def test_a_source_of_functions_takes_no_files_and_lists_functions(add: Open, boss: Client, folder: Path) -> None:
    assert "Only a source of files" in add("source").errors(name="f", kind="python", upload=upload())
    add("source").send(name="f", kind="python")
    assert "hello_world( name )" in Page(boss, url("source", "change", Source.objects.get().pk)).text.replace(
        "(", "( "
    ).replace(")", " )")


def test_a_file_that_is_no_table_is_told_beside_those_that_are(boss: Client, files_source: Source) -> None:
    (Path(settings.WIDGETS_FILES) / "market" / "broken.parquet").write_bytes(b"PAR1 nonsense")
    try:
        text = Page(boss, url("source", "change", files_source.pk)).text
    finally:
        (Path(settings.WIDGETS_FILES) / "market" / "broken.parquet").unlink()
    assert "Files that can't be read broken" in text
    assert "prices prices.csv" in text


def test_a_source_that_cannot_be_opened_says_why(boss: Client, change: Open, db: None) -> None:
    source = Source.objects.create(name="old", kind="fax")
    assert "There is no source kind" in Page(boss, url("source", "change", source.pk)).text
    assert 'There is no source kind "fax"' in change(source).errors()


def test_a_source_that_published_queries_name_keeps_its_name(change: Open, define_query: Define) -> None:
    source = define_query().source
    assert "Published queries name it so: prices" in change(source).errors(name="other")


def test_a_renamed_source_goes_on_reading_its_folder(change: Open, folder: Path) -> None:
    source = Source.objects.create(name="desk", kind="files")
    change(source).send(name="bureau")
    source.refresh_from_db()
    assert (source.name, source.options) == ("bureau", {"folder": "desk"})


def test_deleting_a_source_in_use_is_refused_kindly(boss: Client, define_query: Define) -> None:
    source = define_query().source
    text = Page(boss, url("source", "delete", source.pk)).text
    assert "These queries read from “market”: “prices”" in text
    boss.post(url("source", "delete", source.pk), {"post": "yes"})
    assert Source.objects.exists()


def test_the_list_counts_queries(boss: Client, define_query: Define) -> None:
    define_query()
    assert "market Files (CSV, TSV, JSON, Parquet) - 1" in Page(boss, url("source")).text
