"""What the query of a widget suggests: a column for each of its columns, a parameter for each of its placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import transaction
from django.db.models import Max

from widgets_app.functions import Argument
from widgets_app.models import Choice, Column, Parameter, Widget
from widgets_app.shapes.base import readable
from widgets_app.sources.frame import FrameColumn

Arguments = Mapping[str, Argument]
NOTHING_KNOWN: Final[Arguments] = {}
Rows = Sequence[Mapping[str, Any]]
Fields = dict[str, Any]

MOST_DECIMALS: Final = 4
DECIMALS: Final = 2  # of numbers that reach 1

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# Numbers that are names: thousands separators would make nonsense of them.
_NAMES: Final = frozenset({"year", "yr", "id", "cik", "zip", "code", "key", "no"})
_PERCENT: Final = frozenset({"pct", "percent", "percentage"})
_DAYS: Final = frozenset({"date", "day", "asof"})
_BEGINNINGS: Final = frozenset({"since", "from", "start", "begin"})
_ENDS: Final = frozenset({"until", "to", "end"})
_COUNTS: Final = frozenset({"limit", "top", "rows", "count"})
_SPANS: Final = frozenset({"days", "weeks", "months", "years"})
_FLAGS: Final = frozenset({"is", "has", "with", "include", "only", "show"})
_TYPES: Final = {"date": "date", "datetime": "date", "number": "number", "boolean": "boolean"}


def columns_missing(widget: Widget, columns: Iterable[FrameColumn], rows: Rows) -> list[Column]:
    """Return an unsaved Column for each column that the widget lacks; `rows` are some of its data, if there are any."""
    known = set(widget.columns.values_list("field", flat=True))
    return [
        Column(widget=widget, field=column.name, header_name=readable(column.name), **_look(column, rows))
        for column in columns
        if column.name not in known
    ]


def parameters_missing(
    widget: Widget, placeholders: Iterable[str], columns: Iterable[FrameColumn], arguments: Arguments = NOTHING_KNOWN
) -> list[Parameter]:
    """Return an unsaved Parameter for each placeholder that the widget lacks.

    The argument or the column of its name tells its type.
    """
    known = set(widget.parameters.filter(parent=None).values_list("param_name", flat=True))
    types = {column.name: _TYPES.get(column.type, "text") for column in columns}
    row = widget.param_rows - 1 if widget.param_rows else None
    return [
        Parameter(
            widget=widget,
            param_name=name,
            label=readable(name),
            row=row,
            **_fields(name, types.get(name), arguments.get(name)),
        )
        for name in placeholders
        if name not in known
    ]


@transaction.atomic
def parameters_add(parameters: Sequence[Parameter], arguments: Arguments = NOTHING_KNOWN) -> None:
    """Save new parameters of one widget behind those that it has, with the values there are to choose from."""
    parts_add(parameters)
    Choice.objects.bulk_create(
        Choice(parameter=parameter, label=readable(str(value)), value=value, position=position)
        for parameter in parameters
        if (argument := arguments.get(parameter.param_name or ""))
        for position, value in enumerate(argument.choices)
    )


@transaction.atomic
def parts_add(parts: Sequence[Column] | Sequence[Parameter]) -> None:
    """Save new columns or parameters of one widget behind those that it has."""
    if not parts:
        return
    rows: Any = type(parts[0])._default_manager
    last = rows.filter(widget=parts[0].widget).aggregate(last=Max("position"))["last"]
    for position, part in enumerate(parts, start=0 if last is None else last + 1):
        part.position = position
    rows.bulk_create(parts)


def _look(column: FrameColumn, rows: Rows) -> Fields:
    values = [value for row in rows if (value := row.get(column.name)) is not None]
    if column.type == "number":
        return _number(column.name, values)
    if column.type == "object":
        small_chart = {"sparkline": {"type": "line"}} if values and all(map(_is_series, values)) else {}
        return {"cell_data_type": "object", "chart_data_type": "excluded", **small_chart}
    return dict(_LOOKS[column.type])


_LOOKS: Final[Mapping[str, Fields]] = {
    "text": {"cell_data_type": "text", "chart_data_type": "category"},
    "boolean": {"cell_data_type": "boolean", "chart_data_type": "excluded"},
    "date": {"cell_data_type": "dateString", "chart_data_type": "time"},
    "datetime": {"cell_data_type": "date", "chart_data_type": "time"},
}


def _number(name: str, values: Sequence[Any]) -> Fields:
    words = _words(name)
    if words[-1:] and words[-1] in _NAMES:
        return {"cell_data_type": "text", "chart_data_type": "category"}
    look: Fields = {"cell_data_type": "number", "chart_data_type": "series", "align": "right"}
    if _PERCENT & set(words):
        look["formatter_fn"] = "percent"
    if values and all(isinstance(value, int) for value in values):
        return {"formatter_fn": "int", **look}
    return {**look, "decimal_places": _decimals(values)}


def _decimals(values: Sequence[Any]) -> int:
    """Return as many decimals as the values have, within reason."""
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    most = MOST_DECIMALS if numbers and max(map(abs, numbers)) < 1 else DECIMALS
    written = (f"{number:.{most}f}".partition(".")[2].rstrip("0") for number in numbers)
    return max(map(len, written), default=DECIMALS)


def _is_series(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, int | float | None) for item in value)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _input(name: str, kind: str | None) -> Fields:
    """Return the fields of a parameter: what its name says, else the type of the column of the same name."""
    words = _words(name) or [name]
    first, last = words[0], words[-1]
    # from_currency is no date, from_date and from are.
    if last in _DAYS or set(words) <= _BEGINNINGS | _ENDS:
        return _date(set(words))
    if last in _COUNTS or words == ["top", "n"]:
        return {"type": "number", "value": 100, "minimum": 1, "description": "Most rows to show."}
    if last in _SPANS:
        return {"type": "number", "value": 30, "minimum": 1, "description": f"{readable(last)} to look back."}
    if first in _FLAGS:
        return {"type": "boolean", "value": False, "description": f"{readable(name)}: yes or no."}
    return {"type": kind or "text", "description": f"{readable(name)} of the rows to show."}


def _fields(name: str, kind: str | None, argument: Argument | None) -> Fields:
    """Return the fields of a parameter; what the function that takes it says is more than its name does."""
    by_name = _input(name, kind)
    if argument is None:
        return by_name
    if argument.type not in ("", by_name["type"]):
        by_name = {"description": f"{readable(name)}."}
    if argument.is_optional:
        by_name.pop("value", None)
    return {**by_name, **_of(argument)}


def _of(argument: Argument) -> Fields:
    given = {
        "type": argument.type or None,
        "value": argument.default,
        "multi_select": (argument.many and bool(argument.choices)) or None,
        "multiple": (argument.many and not argument.choices) or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _date(words: set[str]) -> Fields:
    if words & _BEGINNINGS:
        return {"type": "date", "value": "$currentDate-1y", "description": "First day to show."}
    what = "Last day to show." if words & _ENDS else "Day to show."
    return {"type": "date", "value": "$currentDate", "description": what}
