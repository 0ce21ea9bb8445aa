"""Data files put by scripts: who may, what is checked, and that what is served is never half of anything."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from project.asgi import application
from tests.conftest import Define, refresh
from tests.loopback import ask, connected, everything, raw, serving
from widgets_app.models import Source
from widgets_app.services.keys import key_issue
from widgets_app.sources import putting

pytestmark = pytest.mark.django_db

CSV = b"day,ticker,price,volume\n2026-01-02,CCC,7.5,1\n"


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    settings.WIDGETS_HOME = tmp_path
    settings.WIDGETS_FILES = tmp_path / "files"
    return tmp_path


@pytest.fixture
def writer_key(db: None) -> str:
    _, text = key_issue(name="Nightly job", may_put_files=True)
    refresh()
    return text


@pytest.fixture
def writer(home: Path, files_source: Source, writer_key: str) -> Client:
    return Client(headers={"X-API-KEY": writer_key}, enforce_csrf_checks=True)


def put(client: Client, name: str, content: bytes, **headers: str) -> Any:
    return client.put(f"/-/files/market/{name}", content, content_type="text/csv", headers=headers)


def told(response: Any) -> str:
    return str(response.json()["detail"])


def test_a_file_is_replaced_and_the_next_answer_has_it(writer: Client, define_query: Define, define_widget: Define):
    define_query(cache_seconds=600)
    define_widget(query="prices")
    assert len(writer.get("/prices").json()) == 3
    response = put(writer, "prices.csv", CSV)
    assert (response.status_code, response.json()) == (200, {
        "table": "prices", "tables": ["prices"], "rows": 1, "bytes": len(CSV), "replaced": True, "version": 2,
        "columns": [{"name": "day", "type": "DATE"}, {"name": "ticker", "type": "VARCHAR"},
                    {"name": "price", "type": "DOUBLE"}, {"name": "volume", "type": "BIGINT"}],
    })  # fmt: skip
    assert [row["ticker"] for row in writer.get("/prices").json()] == ["CCC"]


def test_a_new_file_is_a_new_table(writer: Client):
    response = put(writer, "new.csv", b"a\n1\n2\n")
    assert (response.status_code, response.json()["replaced"], response.json()["version"]) == (201, False, 1)


def test_a_piece_of_a_table_is_put_into_its_folder(writer: Client, home: Path):
    assert put(writer, "trades/year=2026/a.csv", b"n\n1\n").json()["table"] == "trades"
    assert put(writer, "trades/year=2027/a.csv", b"n\n2\n").status_code == 201
    assert (home / "files/market/trades/year=2027/a.csv").read_bytes() == b"n\n2\n"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("trades/b.csv", b"n\n1\n", "is not in folders as trades/year=2026/a.csv is"),
        ("trades/year=2026/b.parquet", b"PAR1", "b.parquet: "),
        ("trades/year=2026/b.json", b'[{"n": 1}]', "Let all files of a folder have one format"),
        ("trades/year=2026/b.xlsx", b"x", "damaged, or no workbook"),
        ("trades.csv", b"n\n1\n", 'table "trades" comes from trades/year=2026/a.csv already'),
        ("Trades/year=2026/a.csv", b"n\n1\n", 'table "trades" comes from'),
        ("PRICES.csv", CSV, 'table "prices" comes from prices.csv already'),
        ("prices.parquet", b"PAR1", 'table "prices" comes from prices.csv already'),
        ("prices.csv", b"", "prices.csv is empty"),
        ("prices.csv", b"a,b\n1,2\n1,2,3\n", "row 3 has 3 values"),
        ("prices.csv", b"\x89PNG\r\n\x1a\n\0\0", "is not text"),
        ("prices.csv", b"<html></html>", "web page"),
        ("x.json", b"{", "x.json: "),
        ("x.ndjson", b'{"a": 1}\n{"a"', "x.ndjson: "),
        ("x.parquet", b"PAR1 nonsense", "x.parquet: "),
        ("x.csv.gz", b"a\n1\n", "can't be unpacked"),
        ("x.csv.gz", gzip.compress(b"a\n" + bytes(range(65, 91)) * 9000)[:-20], "can't be unpacked"),
        ("x.xlsx", b"PK\3\4 nonsense", "damaged, or no workbook"),
        ("x.xls", b"nonsense", "damaged, or no workbook"),
        ("x.exe", b"a\n1\n", "can't be a table"),
        ("x", b"a\n1\n", "can't be a table"),
        ("../other/x.csv", b"a\n1\n", '".." can\'t be the name'),
        ("%2e%2e/x.csv", b"a\n1\n", '".." can\'t be the name'),
        ("..%2fx.csv", b"a\n1\n", '".." can\'t be the name'),
        ("a//x.csv", b"a\n1\n", '"" can\'t be the name'),
        ("/etc/x.csv", b"a\n1\n", '"" can\'t be the name'),
        ("..%5cx.csv", b"a\n1\n", "can't be the name"),
        ("C:x.csv", b"a\n1\n", "can't be the name"),
        (".hidden.csv", b"a\n1\n", "can't be the name"),
        (".incoming/x.csv", b"a\n1\n", "can't be the name"),
        ("x%00.csv", b"a\n1\n", "can't be the name"),
        ("con.csv", b"a\n1\n", "Windows keeps for itself"),
        ("LPT1/x.csv", b"a\n1\n", "Windows keeps for itself"),
        ("x /y.csv", b"a\n1\n", "can't be the name"),
        ("prices.csv/x.csv", b"a\n1\n", '"prices.csv" is the name of a file'),
        ("new.parquet/x.csv", b"a\n1\n", '"new.parquet" is the name of a file'),
        ("a/b/c/d/e/f/g/h/i.csv", b"a\n1\n", "too deep"),
        ("x" * 200 + ".csv", b"a\n1\n", "can't be the name"),
    ],
)  # fmt: skip
def test_what_can_not_be_a_table_is_refused_in_one_line(
    writer: Client, home: Path, name: str, content: bytes, reason: str
):
    put(writer, "trades/year=2026/a.csv", b"n\n1\n")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and "converted" not in path.parts}
    response = put(writer, name, content)
    assert response.status_code == 400
    assert reason in told(response)
    assert "\n" not in told(response)
    assert str(home) not in told(response)
    after = {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and "converted" not in path.parts}
    assert after == before


def test_a_folder_with_the_name_of_a_file_stays(writer: Client, home: Path):
    (home / "files/market/other.csv").mkdir()
    response = put(writer, "other.csv", CSV)
    assert (response.status_code, "other.csv is a folder there" in told(response)) == (400, True)


def test_only_keys_with_the_right_may(home: Path, files_source: Source, writer_key: str, key: str, settings: Any):
    address = "/-/files/market/prices.csv"
    for path in (address, "/-/files/market"):
        ask_for = Client().put if path == address else Client().get
        assert ask_for(path).status_code == 401
        response = ask_for(path, headers={"X-API-KEY": key})
        assert (response.status_code, "lacks the right to put files" in told(response)) == (403, True)
        assert ask_for(path, headers={"X-API-KEY": writer_key[:-1]}).status_code == 403
        response = ask_for(f"{path}?api_key={writer_key}")
        assert (response.status_code, "not in the address" in told(response)) == (401, True)
        settings.WIDGETS_OPEN = True
        assert ask_for(path).status_code == 401
        settings.WIDGETS_OPEN = False
    assert Client().put(address, CSV, headers={"Authorization": f"Bearer {writer_key}"}).status_code == 200


def test_what_is_no_source_of_files_is_not_found(writer: Client):
    Source.objects.create(name="code", kind="python")
    for name in ("nope", "code"):
        assert told(writer.get(f"/-/files/{name}")) == f'There is no source of files named "{name}".'
        assert writer.put(f"/-/files/{name}/x.csv", CSV).status_code == 404


def test_other_methods_are_refused_and_options_are_answered(writer: Client):
    assert writer.post("/-/files/market/prices.csv", {}).status_code == 405
    assert writer.delete("/-/files/market/prices.csv").status_code == 405
    assert writer.get("/-/files/market/prices.csv").status_code == 405
    assert Client().options("/-/files/market/prices.csv")["Allow"] == "PUT, OPTIONS"


def test_pages_of_other_origins_can_not_put(writer: Client):
    preflight = {"Origin": "https://pro.openbb.co", "Access-Control-Request-Method": "PUT"}
    response = Client().options("/-/files/market/prices.csv", headers=preflight)
    assert "PUT" not in response["Access-Control-Allow-Methods"]


def test_files_are_listed_with_their_versions(writer: Client, settings: Any):
    settings.WIDGETS_FILE_VERSIONS = 2
    for number in range(4):
        assert put(writer, "prices.csv", b"a\n%d\n" % number).json()["version"] == number + 2
    listed = writer.get("/-/files/market").json()
    (file,) = listed["files"]
    assert (listed["source"], file["name"], file["bytes"], file["version"]) == ("market", "prices.csv", 4, 5)
    assert [kept["version"] for kept in file["versions"]] == [4, 3]


def test_a_file_that_changed_meanwhile_is_not_replaced(writer: Client):
    tag = put(writer, "prices.csv", b"a\n1\n")["ETag"]
    assert writer.get("/-/files/market").json()["files"][0]["etag"] == tag
    newer = put(writer, "prices.csv", b"a\n2\n", **{"If-Match": tag})["ETag"]
    assert newer != tag
    response = put(writer, "prices.csv", b"a\n3\n", **{"If-Match": tag})
    assert (response.status_code, "not what you read" in told(response)) == (412, True)
    assert put(writer, "new.csv", b"a\n3\n", **{"If-Match": "*"}).status_code == 412
    assert put(writer, "prices.csv", b"a\n3\n", **{"If-Match": "*"}).status_code == 200


def test_a_file_over_the_limit_is_refused(writer: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(putting, "MAX_FILE_BYTES", 1024 * 1024)
    response = put(writer, "prices.csv", b"a\n" + b"1\n" * 1024 * 1024)
    assert (response.status_code, "larger than 1 MB" in told(response)) == (413, True)


def test_a_full_disk_leaves_what_was_there(writer: Client, home: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(putting, "_write", full)
    response = put(writer, "prices.csv", CSV)
    assert (response.status_code, "no room left to store prices.csv" in told(response)) == (507, True)
    assert list((home / "files/market/.incoming").iterdir()) == []


class TestServer:
    """The same through a real server, whose requests come in threads."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def port(
        self, home: Path, transactional_db: None, files_source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[int]:
        # What threads left open would keep the test's database from being removed.
        monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
        with serving(application, lifespan="off") as (port, _):
            yield port

    def test_a_body_in_chunks_is_taken(self, port: int, writer_key: str):
        client = connected(port)
        pieces = iter([b"a,b\n", b"1,x\n", b"2,y\n"])
        headers = {"X-API-KEY": writer_key, "Transfer-Encoding": "chunked"}
        client.request("PUT", "/-/files/market/new.csv", pieces, headers, encode_chunked=True)
        answer = client.getresponse()
        body = json.loads(answer.read())
        client.close()
        assert (answer.status, body["rows"], body["bytes"]) == (201, 2, 12)

    @pytest.mark.parametrize("chunked", [True, False])
    def test_the_limit_holds_however_a_body_comes(
        self, port: int, writer_key: str, monkeypatch: pytest.MonkeyPatch, chunked: bool
    ):
        monkeypatch.setattr(putting, "MAX_FILE_BYTES", 1024 * 1024)
        head = f"PUT /-/files/market/new.csv HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {writer_key}\r\nConnection: close\r\n"
        if chunked:
            body = b"100000\r\n" + b"1\n" * 0x80000 + b"\r\n" + b"2\r\n1\n\r\n"
            request = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + body + b"0\r\n\r\n"
        else:
            request = f"{head}Content-Length: 99999999\r\n\r\n".encode()
        assert b" 413 " in everything(raw(port, request)).partition(b"\r\n")[0]

    def test_chunks_elsewhere_are_still_refused(self, port: int, writer_key: str):
        headers = {"X_API_KEY": writer_key, "Transfer_Encoding": "chunked"}
        assert ask(port, "/prices", "POST", b"0\r\n\r\n", **headers).status == 411

    def test_a_client_that_leaves_half_way_changes_nothing(self, port: int, home: Path, writer_key: str):
        head = f"PUT /-/files/market/prices.csv HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {writer_key}\r\n"
        before = (home / "files/market/prices.csv").read_bytes()
        incoming = home / "files/market/.incoming"
        with raw(port, f"{head}Content-Length: 1000\r\n\r\nday,ticker\n".encode()):
            while not list(incoming.glob("*/prices.csv")):
                threading.Event().wait(0.01)
        while list(incoming.iterdir()):
            threading.Event().wait(0.01)
        assert (home / "files/market/prices.csv").read_bytes() == before

    def test_many_puts_of_one_file_at_once_each_take_their_turn(self, port: int, home: Path, writer_key: str):
        answers: list[Any] = []

        def send(number: int) -> None:
            content = b"n\n" + b"%d\n" % number * 2000
            answers.append(ask(port, "/-/files/market/race.csv", "PUT", content, X_API_KEY=writer_key))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
        assert sorted(json.loads(answer.body)["version"] for answer in answers) == list(range(1, 9))
        assert len({answer.headers["ETag"] for answer in answers}) == 8
        assert len(set((home / "files/market/race.csv").read_bytes().split(b"\n")[1:-1])) == 1
