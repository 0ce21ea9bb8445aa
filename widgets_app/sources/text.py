"""Text files as DuckDB reads them: in which encoding they are, and what separates their values."""

from __future__ import annotations

import codecs
import csv
import gzip
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, cast

import duckdb
from charset_normalizer import from_bytes
from django.conf import settings

from widgets_app.errors import DefinitionError
from widgets_app.sources.formats import Format, format_of
from widgets_app.sources.json_sql import identifier, literal

# How much of a file is read to tell what it is, and of a broken one to say what is wrong with it.
EXAMINED_BYTES = 64 * 1024
EXAMINED_LINES = 100_000
PIECE = 1024 * 1024

UTF8 = "utf-8"
# What Western Europe's Windows writes, unless the text speaks for another one.
USUAL = "cp1252"
LATIN = (USUAL, "cp1250", "cp1254", "cp1257")
# Cyrillic and Greek, whose words have no letter of ASCII.
OTHERS = ("cp1251", "cp1253")
# For people.
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "latin-1": "Latin-1 (guessed)",
    **{page: f"Windows-{page.removeprefix('cp')} (guessed)" for page in (*LATIN, *OTHERS)},
}

_BOMS = ((codecs.BOM_UTF8, UTF8), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DELIMITERS = ",;\t|"
# No text has these.
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
_FOREIGN_WORD = re.compile(rb"[\x80-\xff]{3}")
_DECIMAL_COMMA = re.compile(r"[0-9],[0-9]")
_NUMBERS = ("DOUBLE", "BIGINT", "HUGEINT")
_SURE = "[+-]?[0-9]+,([0-9]{1,2}|[0-9]{4,})"
SAMPLED_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file is written; `delimiter` is empty where nothing separates, as in JSON."""

    encoding: str = UTF8
    delimiter: str = ""
    decimal: str = "."


def encoding_of(path: Path, *, whole: bool = False) -> str:
    """Find out the encoding of a text file from its start, or from all of it where that was not enough.

    Raises DefinitionError for what is no text.
    """
    found = format_of(path.name)
    start = _start(path, found)
    for mark, encoding in _BOMS:
        if start.startswith(mark):
            return encoding
    sample = _first_foreign(path, found) if whole else start
    if b"\0" in sample and (encoding := _utf16(sample)):
        return encoding
    if _BINARY.search(sample):
        raise DefinitionError(f"{path.name} is not text. Save the data itself as CSV, JSON or Parquet.")
    return UTF8 if _is_utf8(sample) else _guessed(sample)


def dialect_of(path: Path, encoding: str, connection: duckdb.DuckDBPyConnection) -> Dialect:
    """Find out what separates the values of a file that is UTF-8, whatever its encoding was."""
    found = format_of(path.name)
    if not found.is_text:
        return Dialect(encoding)
    start = _start(path, found).decode(errors="replace").lstrip("\ufeff\r\n")
    delimiter = _delimiter(path, found, start)
    decimal = "."
    if delimiter != "," and _DECIMAL_COMMA.search(start):
        decimal = _decimal(path, delimiter, connection)
    return Dialect(encoding, delimiter, decimal)


@contextmanager
def _intact(path: Path, found: Format) -> Iterator[IO[bytes]]:
    """Open a file; reads what it held before it was compressed. Raises DefinitionError for what can't be unpacked."""
    try:
        with _unpacked(path, found) as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        # What the system itself finds, such as a full disk, has a number.
        if found.compression and getattr(error, "errno", None) is None:
            raise DefinitionError(f"{path.name} is damaged: it can't be unpacked.") from error
        raise


def _unpacked(path: Path, found: Format) -> IO[bytes]:
    if found.compression == "zstd":
        import pyarrow  # slow to import, and seldom needed

        return cast("IO[bytes]", pyarrow.input_stream(str(path), compression="zstd"))
    return cast("IO[bytes]", gzip.open(path)) if found.compression else path.open("rb")


def to_utf8(path: Path, encoding: str, target: Path) -> None:
    """Write the text of a file as UTF-8, piece by piece. Raises DefinitionError where it doesn't end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    most, size = settings.WIDGETS_DUCKDB_TEMP_MB * 1024**2, 0
    with _intact(path, format_of(path.name)) as source, target.open("w", encoding=UTF8, newline="") as file:
        while piece := source.read(PIECE):
            file.write(decoder.decode(piece))
            size += len(piece)
            if size > most:
                limit = f"the {settings.WIDGETS_DUCKDB_TEMP_MB:,.0f} MB of WIDGETS_DUCKDB_TEMP_MB"
                raise DefinitionError(f"{path.name} holds more text than {limit}. Save it as UTF-8, or as Parquet.")
        file.write(decoder.decode(b"", final=True))


def uneven(path: Path) -> str:
    """Return which line of a CSV has another number of values than the first one, nothing if none has."""
    found, encoding = format_of(path.name), encoding_of(path)
    encoding = "utf-8-sig" if encoding == UTF8 else encoding
    with _intact(path, found) as file, TextIOWrapper(file, encoding, errors="replace", newline="") as lines:
        start = lines.readline()
        rows = itertools.chain([start], itertools.islice(lines, EXAMINED_LINES))
        try:
            return _first_uneven(csv.reader(rows, delimiter=_delimiter(path, found, start)))
        except csv.Error:
            return ""


def _first_uneven(rows: Iterable[list[str]]) -> str:
    width = 0
    for number, row in enumerate(rows, start=1):
        width = width or len(row)
        if row and len(row) != width:
            return (
                f"row {number} has {len(row)} values, but the first line names {width} columns. "
                "Quote values that hold the separator, and let the first line be the names."
            )
    return ""


def _start(path: Path, found: Format) -> bytes:
    with _intact(path, found) as file:
        return file.read(EXAMINED_BYTES)


def _is_utf8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder(UTF8)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _first_foreign(path: Path, found: Format) -> bytes:
    """Return the part of a file that holds the first bytes that are not UTF-8, the last part where all are."""
    decoder = codecs.getincrementaldecoder(UTF8)()
    piece = b""
    with _intact(path, found) as file:
        while more := file.read(PIECE):
            piece = more
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                return piece[max(0, error.start - EXAMINED_BYTES // 2) : error.start + EXAMINED_BYTES // 2]
    return piece


def _utf16(sample: bytes) -> str:
    """Return which UTF-16 it is: of the usual letters every other byte is 0."""
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = sample[offset::2].count(0)
        if zeros * 4 >= len(sample) and zeros == sample.count(0):
            return encoding
    return ""


def _guessed(sample: bytes) -> str:
    pages = [*LATIN, *OTHERS] if _FOREIGN_WORD.search(sample) else [*LATIN]
    matches = from_bytes(sample, cp_isolation=pages)
    best = matches.best()
    # Short texts suit several; another one than the usual must be the better one.
    if best is not None and not any(USUAL in match.could_be_from_charset for match in matches):
        return best.encoding
    try:
        codecs.getincrementaldecoder(USUAL)().decode(sample)
    except UnicodeDecodeError:
        return best.encoding if best is not None else "latin-1"
    return USUAL


def _delimiter(path: Path, found: Format, start: str) -> str:
    """Return the separator of a text file: of the usual ones the one that its first line has most of."""
    if found.suffix == ".tsv":
        return "\t"
    first = start.partition("\n")[0]
    if first.lstrip().startswith("<"):
        raise DefinitionError(f"{path.name} holds a web page or XML. Save the data itself as CSV.")
    bare = re.sub(r'"[^"]*"', "", first)
    # Of equals the first wins.
    return max(_DELIMITERS, key=bare.count)


def _decimal(path: Path, delimiter: str, connection: duckdb.DuckDBPyConnection) -> str:
    """Return a comma where that makes more columns numbers, and takes none away."""
    reading = (
        f"({literal(str(path))}, delim = {literal(delimiter)}, header = true, quote = '\"', escape = '\"', "
        "comment = '', skip = 0"
    )
    try:
        points, commas = (_number_columns(connection, f"sniff_csv{reading}, decimal_separator = '{m}')") for m in ".,")
        if not points < commas:
            return "."
        # With three digits after each comma these may be thousands.
        sure = " or ".join(
            f"coalesce(bool_or(regexp_full_match({identifier(name)}, '{_SURE}')), false)" for name in commas - points
        )
        rows = f"(select * from read_csv{reading}, all_varchar = true) limit {SAMPLED_ROWS})"  # noqa: S608  quoted
        found = connection.execute(f"select {sure} from {rows}").fetchone()  # noqa: S608  names are quoted
    except duckdb.Error:
        return "."  # reading it tells what is wrong with it
    return "," if found and found[0] else "."


def _number_columns(connection: duckdb.DuckDBPyConnection, sniffed: str) -> set[str]:
    found = connection.execute(f"select columns from {sniffed}").fetchone()  # noqa: S608  our own text
    return {column["name"] for column in (found[0] if found else ()) if column["type"] in _NUMBERS}
