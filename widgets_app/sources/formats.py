"""Which files are data, by their names: the format, whether it is compressed, and the table that a file becomes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

TEXT = {".csv": "CSV", ".tsv": "TSV"}
JSON = {".json": "JSON", ".ndjson": "NDJSON", ".jsonl": "NDJSON"}
PARQUET = {".parquet": "Parquet"}
WORKBOOKS = {".xlsx": "Excel", ".xlsm": "Excel", ".xlsb": "Excel", ".xls": "Excel", ".ods": "OpenDocument"}
FORMATS = {**TEXT, **JSON, **PARQUET, **WORKBOOKS}

# Text may be compressed: sales.csv.gz.
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
SUFFIXES = (*FORMATS, *(f"{suffix}{packed}" for packed in COMPRESSIONS for suffix in (*TEXT, *JSON)))
# For people.
NAMED = ", ".join(FORMATS)


@dataclass(frozen=True, slots=True)
class Format:
    """What a file's name says about it; `suffix` is the one without compression, `compression` empty for none."""

    suffix: str
    compression: str = ""

    @property
    def name(self) -> str:
        """The format in words."""
        return FORMATS[self.suffix]

    @property
    def is_text(self) -> bool:
        """Whether it is text with separators."""
        return self.suffix in TEXT

    @property
    def is_workbook(self) -> bool:
        """Whether it holds sheets."""
        return self.suffix in WORKBOOKS

    @property
    def is_parquet(self) -> bool:
        """Whether it is Parquet, which is read where it is."""
        return self.suffix in PARQUET


def is_data(name: str) -> bool:
    """Say whether a file of this name becomes a table."""
    return name.lower().endswith(SUFFIXES) and name.lower() not in SUFFIXES and not name.startswith(".")


def format_of(name: str) -> Format:
    """Return the format of a file that is data."""
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    if suffixes[-1] in COMPRESSIONS:
        return Format(suffixes[-2], COMPRESSIONS[suffixes[-1]])
    return Format(suffixes[-1])


def stem(name: str) -> str:
    """Return a file's name without what tells its format."""
    found = PurePath(name)
    return found.with_suffix("").stem if found.suffix.lower() in COMPRESSIONS else found.stem


def table_name(name: str) -> str:
    """Return the table that a file becomes: its stem, with `_` for what is not a letter, digit or underscore.

    A file in a sub-folder is a piece of the table that is named for the sub-folder.
    """
    folder, slash, _ = name.partition("/")
    return re.sub(r"\W", "_", folder if slash else stem(name))


def sheet_table(table: str, sheet: str) -> str:
    """Return the table of one of several sheets of a workbook."""
    return table + "_" + re.sub(r"\W", "_", sheet.strip())
