"""What can't be imported: told in one line with its place and reason, and nothing is changed."""

from __future__ import annotations

import gzip
import json
import os
import random
import socket
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.bundles.conftest import AGENT, AGENTS, APPS, BACKEND, WIDGETS, app, as_bytes, here, widget, write
from tests.bundles.test_files import archive
from tests.sources.wire import Talk, head, plain, says, until_closed, wired
from widgets_app.errors import DefinitionError
from widgets_app.manifest import parsing
from widgets_app.services.bundles import collecting, from_files

pytestmark = pytest.mark.django_db

GOOD = {"a": widget("a")}


def refusal(*inputs: object, **options: Any) -> str:
    """Run the command on what can't be imported; return the one line that says why."""
    before = here()
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("import_bundle", *map(str, inputs), stdout=out, stderr=out, **options)
    assert here() == before
    assert caught.value.returncode == 1
    assert out.getvalue() == ""
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Write files into a folder, and see them refused."""

    def run(files: dict[str, Any], **options: Any) -> str:
        folder = write(files, tmp_path / "bundle")
        return refusal(*sorted(folder.iterdir()), **options)

    return run


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{\n  // widgets\n  "a": {}\n}', "widgets.json, line 2, column 3: JSON has no comments. "),
        (b'{"a": {"name": "x"', "widgets.json, line 1, column 18: The file ends in the middle of "),
        (b"", "widgets.json, line 1, column 1: The file is empty. "),
        (b" \n", "widgets.json, line 1, column 1: The file is empty. "),
        (b"\xff\xfe{\x00}\x00", "widgets.json, line 1, column 1: The file is written in UTF-16. "),
        (b'{"a": "\xe9"}', "widgets.json, line 1, column 8: The byte 0xe9 is not UTF-8. "),
        (b'{"a": NaN}', "widgets.json, line 1, column 7: JSON has no NaN. Write null."),
        (b'{"a": {}, "a": {}}', "widgets.json, line 1, column 11: "),
        (b'{"w": {"a": 1,\n"a": 1}}', "widgets.json, line 2, column 1: "),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "widgets.json, line 1, column "),
        (b"[" * 100_000, "widgets.json, line 1, column "),
        (b"<!doctype html>", "widgets.json, line 1, column 1: This is a web page, not JSON. "),
        (as_bytes([app("A")]), "widgets.json: This is a list, and widgets.json is an object with an entry per widget. "
                               "It looks like a list of apps: call it apps.json."),
        (as_bytes({"a": AGENT}), "widgets.json: This looks like agents, not widgets. Call it agents.json."),
        (b'"text"', 'widgets.json: This is "text", and widgets.json is an object with an entry per id.'),
        (b'{"a": 1, "b": []}', "widgets.json: No entry is an object, so these are no widgets."),
    ],
    ids=range(16),
)  # fmt: skip
def test_a_file_that_is_no_widgets_json(refused: Callable[..., str], content: bytes, reason: str) -> None:
    assert refused({WIDGETS: content, APPS: [app("A")]}).startswith(reason)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (APPS, GOOD, "apps.json: This is an object without tabs, and apps.json is a list of apps."),
        (APPS, 5, "apps.json: This is 5, and apps.json is a list of apps."),
        (APPS, ["a", 1], "apps.json: No entry is an object, so these are no apps."),
        (AGENTS, [AGENT], "agents.json: This is a list, and agents.json is an object with an entry per id."),
        (AGENTS, {"a": "x"}, "agents.json: No entry is an object, so these are no agents."),
        (WIDGETS, {"x" * 256: widget("a")}, 'widgets.json: The widget "xxx'),
        (WIDGETS, {"": widget("a")}, 'widgets.json: The widget "" can\'t be kept: an id has 1 to 255 characters'),
        (WIDGETS, {"a\x00": widget("a")}, 'widgets.json: The widget "a\\u0000" can\'t be kept: '),
        (AGENTS, {"half \ud800": AGENT}, "agents.json: The agent "),
    ],
)
def test_a_file_that_is_not_what_its_name_says(
    refused: Callable[..., str], name: str, content: Any, reason: str
) -> None:
    assert refused({name: content, "widgets_1.json": GOOD}).startswith(reason)


def source(**keys: Any) -> dict[str, Any]:
    return {"format": 1, "sources": [{"name": "s", "kind": "files", **keys}]}


def query(**keys: Any) -> dict[str, Any]:
    return {"format": 1, "queries": [{"name": "q", **keys}]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"format": 2}, "backend.json: Its format is 2; this backend reads 1."),
        ({}, "backend.json: Its format is null; this backend reads 1."),
        ([], "backend.json: This is a list, and backend.json is an object"),
        ({"format": 1, "more": 1}, "backend.json: more: Extra inputs are not permitted. "),
        ({"format": 1, "groups": [1]}, "backend.json: groups.0: Input should be a valid string. "),
        ({"format": 1, "groups": [""]}, "backend.json: groups.0: "),
        ({"format": 1, "groups": ["x" * 151]}, "backend.json: groups.0: "),
        ({"format": 1, "groups": ["a\x00"]}, "backend.json: groups.0: "),
        ({"format": 1, "groups": ["\ud800"]}, "backend.json: groups.0: "),
        (source(name="x" * 101), "backend.json: sources.0.name: "),
        (source(name="a b"), "backend.json: sources.0.name: "),
        (source(description="a\x00"), "backend.json: sources.0.description: "),
        (source(description="x" * 256), "backend.json: sources.0.description: "),
        (source(kind="oracle"), 'backend.json: The source "s" can\'t be imported: There is no source kind "oracle". '),
        (source(rows=0), 'backend.json: The source "s" can\'t be imported: '),
        (source(slots=10**6), 'backend.json: The source "s" can\'t be imported: '),
        (source(seconds=2**70), 'backend.json: The source "s" can\'t be imported: '),
        (source(seconds="5"), "backend.json: sources.0.seconds: "),
        (source(options={"nothing": 1}), 'backend.json: The source "s" can\'t be imported: The source can\'t be opened: '),
        (source(kind="http", options={"url": "https://x.example", "headers": {"K": "open-secret"}}),
         'backend.json: The source "s" can\'t be imported: Its option headers is secret. '),
        (source(secrets={"headers": {"K": "open-secret"}}), "backend.json: sources.0.secrets: Extra inputs "),
        ({"format": 1, "sources": [source()["sources"][0]] * 2}, 'backend.json: The source "s" is there twice. '),
        (query(source="missing"), 'backend.json: The query "q" needs the source "missing", which is neither '),
        (query(text="select '\x00'"), "backend.json: queries.0.text: "),
        (query(text="select '\ud800'"), "backend.json: queries.0.text: "),
        (query(options_path="x" * 201), "backend.json: queries.0.options_path: "),
        (query(cache_seconds=-1), "backend.json: queries.0.cache_seconds: "),
        (query(cron="0 0 31 2 *"), "backend.json: queries.0.cron: The schedule can't be followed: such a day never "),
        (query(choices=["a"]), "backend.json: queries.0.choices.0: "),
        ({"format": 1, "queries": [{"name": "q"}, {"name": "q"}]}, 'backend.json: The query "q" is there twice. '),
        ({"format": 1, "queries": [{"name": "p", "options_path": "x"}, {"name": "q", "options_path": "x"}]},
         'query "p", "q": the database refuses it: '),
        ({"format": 1, "widgets": {"a": {"feeds": {"rows": "missing"}}}},
         'backend.json: The widget "a" needs the query "missing", which is neither in the bundle nor here. '),
        ({"format": 1, "widgets": {"a": {"feeds": {"symbols": "q"}}}}, "backend.json: widgets.a.feeds.symbols"),
        ({"format": 1, "widgets": {"a": {"upstream": "missing"}}},
         'backend.json: The widget "a" needs the source "missing", '),
        ({"format": 1, "widgets": {"a": {"published": 1}}}, "backend.json: widgets.a.published: "),
        ({"format": 1, "widgets": []}, "backend.json: widgets: "),
        ({"format": 1, "apps": [{"name": "A"}]}, "backend.json: apps.0.slug: Field required. "),
        ({"format": 1, "apps": [{"slug": "x" * 256}]}, "backend.json: apps.0.slug: "),
        ({"format": 1, "apps": [{"slug": "x", "name": "A"}, {"slug": "x", "name": "B"}]},
         'backend.json: The app "x" is there twice. '),
    ],
)  # fmt: skip
def test_a_backend_file_that_is_wrong(refused: Callable[..., str], content: Any, reason: str) -> None:
    line = refused({BACKEND: content, WIDGETS: GOOD, APPS: [app("A"), app("B")]})
    assert line.startswith(reason)
    assert "open-secret" not in line


def test_two_files_that_disagree(refused: Callable[..., str]) -> None:
    files = {"widgets_1.json": GOOD, "widgets_2.json": {"b": widget("b"), "a": widget("other")}}
    assert refused(files) == 'widgets_1.json and widgets_2.json both define "a", differently.'


def test_two_backends_at_once(refused: Callable[..., str]) -> None:
    line = refused({"backend.json": {"format": 1}, "backend_2.json": {"format": 1}})
    assert line == "backend.json and backend_2.json both describe a backend. Import one at a time."


def test_a_large_file_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / WIDGETS
    path.touch()
    os.truncate(path, 200 * 1024**2)
    assert refusal(path) == "widgets.json: The file has 200.0 MB, and 64 MB is the limit. Split it."


def test_places_where_nothing_is(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone") == f"There is no file or folder {tmp_path / 'gone'}."
    assert refusal(tmp_path).startswith(f"The folder {tmp_path} has none of widgets.json, apps.json, ")
    assert refusal(write({WIDGETS: GOOD}, tmp_path), tmp_path / "gone").startswith("There is no file")


def test_archives_that_cannot_be_read(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = archive({WIDGETS: GOOD})
    assert refused({"a.zip": whole[:-30]}).startswith("a.zip: The archive can't be read: File is not a zip file. ")
    assert refused({"a.zip": archive({})}).startswith("The archive a.zip has none of widgets.json, ")
    assert refused({"a.zip": archive({"README.md": b"", "package.json": {}})}).startswith("The archive a.zip has none")
    assert refused({"a.zip": archive({"d/widgets.json": b"{"})}).startswith("d/widgets.json, line 1, column ")
    monkeypatch.setattr(parsing, "MAX_BYTES", 100_000)
    bomb = archive({WIDGETS: b'{"a": "' + b"x" * 10_000_000})
    assert len(bomb) < 20_000
    assert refused({"a.zip": bomb}).startswith("a.zip: The files in it have more than 0.0954 MB, which is the limit.")
    many = archive({f"widgets_{number}.json": b" " * 60_000 + b"{}" for number in range(2)})
    assert refused({"a.zip": many}).startswith("a.zip: The files in it have more than")


def test_an_archive_with_a_password(refused: Callable[..., str]) -> None:
    locked = bytearray(archive({WIDGETS: GOOD}, zipfile.ZIP_STORED))
    for start in (6, locked.index(b"PK\x01\x02") + 8):
        locked[start] |= 1
    assert "password" in refused({"a.zip": bytes(locked)})


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_archives_raise_nothing_else(compression: int) -> None:
    whole = archive({WIDGETS: {f"w{number}": widget("w") for number in range(5)}}, compression)
    chance = random.Random(1)  # noqa: S311  the same damage each time
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
        with suppress(DefinitionError):
            from_files([("a.zip", bytes(damaged))])


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "FETCH_SECONDS", 1.0)


def hangs(connection: socket.socket) -> None:
    until_closed(connection)


def endless(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    while True:
        connection.sendall(b" " * 65536)


WHOLE = json.dumps(GOOD).encode()
BOMB = gzip.compress(b" " * 80 * 1024**2)


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (hangs, '"127.0.0.1" took longer than 1 s'),
        (says(plain(b"<html>", kind="text/html")), "widgets.json, line 1, column 1: This is a web page, not JSON. "),
        (says(plain(b"", status="401 Unauthorized")), "127.0.0.1 wants a key for widgets.json (status 401). "),
        (says(plain(b"", status="403 Forbidden")), "127.0.0.1 wants a key for widgets.json (status 403). "),
        (says(plain(b"", status="404 Not Found")), "127.0.0.1 has no widgets.json there. "),
        (says(plain(b"", status="500 Oops")), "127.0.0.1 answered 500 for widgets.json instead of 200. "),
        (says(plain(b"", status="204 No Content")), "127.0.0.1 answered 204 for widgets.json instead of 200. "),
        (says(plain(BOMB, "Content-Encoding: gzip")), '"127.0.0.1" sends more than 64 MB. '),
        (endless, '"127.0.0.1" sends more than 64 MB. '),
        (says(plain(WHOLE + b" ")[:-20]), '"127.0.0.1" closed the connection before its answer was complete. '),
        (says(b"SSH-2.0-OpenSSH\r\n\r\n"), '"127.0.0.1" sent something that is not HTTP. '),
    ],
    ids=["hangs", "page", "401", "403", "404", "500", "204", "bomb", "endless", "truncated", "no http"],
)
def test_backends_that_answer_badly(talk: Talk, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if talk is not hangs:
        monkeypatch.setattr(collecting, "FETCH_SECONDS", 30.0)
    with wired(talk) as wire:
        assert refusal(f"http://127.0.0.1:{wire.port}").startswith(reason)


def test_a_second_manifest_that_fails_refuses_the_first_too() -> None:
    answers = iter([WHOLE, b"{,}"])

    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(plain(next(answers)))

    with wired(talk) as wire:
        assert refusal(f"http://127.0.0.1:{wire.port}").startswith("apps.json, line 1, column 2: ")


@pytest.mark.parametrize("host", ["localhost", "[::1]", "169.254.169.254"])
def test_a_redirect_into_the_own_network_is_not_followed(host: str) -> None:
    with wired(says(plain(b"", f"Location: http://{host}:1/widgets.json", status="302 Found"))) as wire:
        line = refusal(f"http://127.0.0.1:{wire.port}")
    assert "is in a private network" in line or "can't be" in line


@pytest.mark.parametrize("address", ["http://[bad", "http://", "https://user:open-secret@h.example", "http://h:x/"])
def test_addresses_that_are_none(address: str, tmp_path: Path) -> None:
    assert "address" in refusal(address).lower()
    line = refusal(write({WIDGETS: GOOD}, tmp_path), upstream=address)
    assert "address" in line.lower()
    assert "open-secret" not in line


@pytest.mark.parametrize(
    "header", ["no colon", ": value", "Host: h", "X-K: a\nb", "ü: open-secret", "X K: open-secret"]
)
def test_headers_that_cannot_be_sent(header: str, tmp_path: Path) -> None:
    line = refusal(write({WIDGETS: GOOD}, tmp_path), upstream="https://h.example", header=[header])
    assert "header" in line.lower()
    assert "open-secret" not in line


def test_no_files_and_no_real_archive() -> None:
    with pytest.raises(DefinitionError, match=r"^There is nothing to import"):
        from_files([])
    with pytest.raises(DefinitionError, match="can't be read"):
        from_files([("x", b"PK\x03\x04rest")])
