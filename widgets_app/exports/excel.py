"""Excel files: numbers as numbers, dates as dates, text never as a formula, and a sheet that says what this is."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter
from django.utils import timezone

from widgets_app.errors import BadRequest
from widgets_app.exports.times import iso_times
from widgets_app.sources import engine
from widgets_app.sources.rows import MAX_SAFE_INTEGER
from widgets_app.sources.streams import RowStream

if TYPE_CHECKING:
    from widgets_app.exports.formats import About

# What a sheet of Excel holds, below the line of titles.
MOST_ROWS = 1_048_575
MOST_COLUMNS = 16_384
WIDEST = 60
# The days that Excel counts right: from 1900-03-01 to 9999-12-31, counted from 1899-12-30.
FIRST_DAY, LAST_DAY = 61, 2_958_465
UNIX_DAY = 25_569
PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
# Text stays text: nothing is calculated, linked or taken for a number.
OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
PIECE = 256 * 1024

Cell = str | int | float | bool | None


def write_xlsx(stream: RowStream, about: About) -> Generator[bytes]:
    """Write a workbook; it is made in a temporary file, and gives empty pieces for as long as rows come."""
    if len(stream.schema) > MOST_COLUMNS:
        stream.close()
        raise BadRequest(f"Excel holds {MOST_COLUMNS:,} columns, and this has more. Take another format.")
    # What a process that is killed leaves there, the next one removes.
    with closing(stream), engine.temporary() as folder:
        path = folder / "export.xlsx"
        workbook = xlsxwriter.Workbook(path, {**OPTIONS, "tmpdir": str(folder)})
        try:
            yield from _Sheet(workbook, stream, about).written()
            workbook.close()
        finally:
            # A workbook that is given up would leave its files open.
            for sheet in workbook.worksheets():
                sheet._opt_close()
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece


class _Sheet:
    """The sheet with the rows, and the one about them."""

    def __init__(self, workbook: Any, stream: RowStream, about: About) -> None:
        self._stream = stream
        self._about = about
        self._sheet = workbook.add_worksheet("Data")
        self._other = workbook.add_worksheet("About")
        self._bold = workbook.add_format({"bold": True})
        self._formats = [_format(workbook, field.type) for field in stream.schema]
        self._shortened = 0

    def written(self) -> Generator[bytes]:
        """Write everything; gives an empty piece for each batch of rows."""
        titles = [self._about.titles.get(name) or name for name in self._stream.schema.names]
        self._sheet.freeze_panes(1, 0)
        for number, title in enumerate(titles):
            self._sheet.write_string(0, number, title, self._bold)
        widths = list(map(len, titles))
        row = 1
        for batch in self._stream:
            columns = [_cells(column) for column in batch.columns]
            for cells in zip(*columns, strict=True):
                self._row(row, cells)
                row += 1
            if row == 1 + batch.num_rows:
                widths = [_width(title, cells) for title, cells in zip(titles, columns, strict=True)]
            yield b""
        for number, width in enumerate(widths):
            self._sheet.set_column(number, number, min(width + 2, WIDEST))
        self._tell()

    def _row(self, row: int, cells: Iterable[Cell]) -> None:
        for number, value in enumerate(cells):
            if value is None:
                continue
            if isinstance(value, str):
                self._shortened += self._sheet.write_string(row, number, value) < 0
            elif isinstance(value, bool):
                self._sheet.write_boolean(row, number, value)
            else:
                self._sheet.write_number(row, number, value, self._formats[number])

    def _tell(self) -> None:
        facts: dict[str, object] = {
            "Widget": self._about.name,
            "Made at": timezone.localtime().strftime("%Y-%m-%d %H:%M:%S %Z"),
            "Rows": f"{self._stream.count:,}",
        }
        if self._stream.truncated:
            facts["Left out"] = "There are more rows than these: a limit cut them off."
        if self._shortened:
            facts["Shortened"] = f"{self._shortened:,} texts, to the 32,767 characters that a cell holds."
        if any(pa.types.is_timestamp(field.type) and field.type.tz for field in self._stream.schema):
            facts["Times"] = "Times with a time zone are in UTC."
        for row, (name, value) in enumerate([*facts.items(), *_shown(self._about.params).items()]):
            self._other.write_string(row, 0, name, self._bold)
            self._other.write_string(row, 1, str(value))
        self._other.set_column(0, 0, 24)
        self._other.set_column(1, 1, WIDEST)


def _shown(params: Mapping[str, Any]) -> dict[str, str]:
    known = ((name, value) for name, value in params.items() if value is not None)
    return {f"Parameter {name}": ", ".join(map(str, value)) if _is_list(value) else str(value) for name, value in known}


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _format(workbook: Any, kind: pa.DataType) -> Any:
    if pa.types.is_date(kind):
        return workbook.add_format({"num_format": "yyyy-mm-dd"})
    return workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}) if pa.types.is_timestamp(kind) else None


def _width(title: str, cells: Sequence[Cell]) -> int:
    return max([len(title), *(len(str(cell)) for cell in cells[:1000] if cell is not None)])


def _cells(column: pa.Array) -> Sequence[Cell]:
    kind = column.type
    if pa.types.is_date(kind):
        return _days(column.cast(pa.int32()), 1, column.cast(pa.string()))
    if pa.types.is_timestamp(kind):
        return _days(column.cast(pa.int64()), PER_DAY[kind.unit], iso_times(column))
    values: list[Any] = column.to_pylist()
    if pa.types.is_decimal(kind) and kind.scale:
        return [None if value is None else float(value) for value in values]
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return [None if value is None else _integer(value) for value in values]
    return values


def _integer(value: int | Decimal) -> Cell:
    number = int(value)
    # Excel would round larger ones.
    return number if abs(number) <= MAX_SAFE_INTEGER else str(number)


def _days(numbers: pa.Array, per_day: int, texts: pa.Array) -> Sequence[Cell]:
    """Return the days that Excel counts, and text for those that it doesn't know."""
    days: list[float | None] = pc.add(
        pc.divide(numbers.cast(pa.float64(), safe=False), float(per_day)), float(UNIX_DAY)
    ).to_pylist()
    known = [day is None or bool(FIRST_DAY <= day < LAST_DAY + 1) for day in days]
    if all(known):
        return days
    return [day if is_known else text for day, is_known, text in zip(days, known, texts.to_pylist(), strict=True)]
