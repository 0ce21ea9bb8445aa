"""Filters: how templates write a value. None goes through as None, so that a gap stays a gap."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from django.utils import dateformat
from django.utils.text import Truncator

from widgets_app.parameters.types import Number, as_text, number, shown

DECIMALS_LIMIT = 12
FORMAT_LIMIT = 100  # characters of a date format
VALUE_LIMIT = 1_000_000  # characters of a value in between
DATE_FORMAT = "j M Y"

_PLACE = re.compile(r"-?[0-9]{1,9}|")

Filter = Callable[..., Any]


def with_separators(value: Any, decimals: Any = None) -> Any:
    """`12345.678|number:1` is 12,345.7; without decimals it keeps those that there are. Texts stay as they are."""
    read = _number(value)
    if read is None:
        return value
    return f"{read:,}" if decimals is None else f"{read:,.{_decimals(decimals)}f}"


def percent(value: Any, decimals: Any = 1) -> Any:
    """`0.042|percent` is 4.2%."""
    read = _number(value)
    return value if read is None else f"{read * 100:,.{_decimals(decimals)}f}%"


def signed(value: Any, decimals: Any = 1) -> Any:
    """`2.5|signed` is +2.5."""
    read = _number(value)
    return value if read is None else f"{read:+,.{_decimals(decimals)}f}"


def compact(value: Any, decimals: Any = 1) -> Any:
    """`1234567|compact` is 1.2M."""
    read = _number(value)
    if read is None:
        return value
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(read) >= size), (1, ""))
    return f"{read / size:,.{_decimals(decimals)}f}{unit}"


def formatted_date(value: Any, form: Any = DATE_FORMAT) -> Any:
    """`"2026-03-01"|date:"j F Y"` is 1 March 2026. What is no date stays as it is."""
    try:
        moment = datetime.fromisoformat(as_text(value))
    except ValueError:
        return value
    if len(as_text(form)) > FORMAT_LIMIT:
        raise ValueError(f"a date format has more than {FORMAT_LIMIT} characters")
    return dateformat.format(moment if len(as_text(value)) > len("2026-03-01") else date(*_day(moment)), as_text(form))


def joined(value: Any, glue: Any = ", ") -> Any:
    """`list|join:" / "` writes a list as text, up to a limit."""
    if not isinstance(value, list):
        return value
    pieces, size = [], 0
    for item in value:
        pieces.append(_cut(as_text(item)))
        size += len(pieces[-1]) + len(as_text(glue))
        if size > VALUE_LIMIT:
            raise ValueError(f"a joined list has more than {VALUE_LIMIT:,} characters")
    return as_text(glue).join(pieces)


def sliced(value: Any, bounds: Any) -> Any:
    """`rows|slice:":5"` is the first five; of a text, its first characters."""
    if not isinstance(value, list | str):
        return value
    return value[_places(as_text(bounds))]


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | str) and value else None


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list | str) and value else None


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | dict | str) else 0


def _default(value: Any, otherwise: Any) -> Any:
    return otherwise if value in (None, "") else value


def _yesno(value: Any, words: Any = "yes,no") -> Any:
    yes, no, *maybe = [*as_text(words).split(","), ""][:3]
    if value is None and maybe:
        return maybe[0] or no
    return yes if value else no


def _pluralize(value: Any, ending: Any = "s") -> Any:
    one, _, many = as_text(ending).rpartition(",")
    return one if _number(value) == 1 else many


def _divisible(value: Any, by: Any) -> bool:
    read, step = _number(value), _number(by)
    return read is not None and step is not None and step != 0 and read % step == 0


def _texted(change: Callable[[str], str]) -> Filter:
    def each(value: Any) -> Any:
        return None if value is None else change(_cut(as_text(value)))

    return each


def _shortened(value: Any, length: Any) -> Any:
    return None if value is None else Truncator(_cut(as_text(value))).chars(_counted(length, "truncatechars"))


def _shortened_words(value: Any, length: Any) -> Any:
    return None if value is None else Truncator(_cut(as_text(value))).words(_counted(length, "truncatewords"))


def _places(bounds: str) -> slice:
    places = [piece.strip() for piece in bounds.split(":")]
    if len(places) > 3 or not all(_PLACE.fullmatch(place) for place in places) or places[2:] == ["0"]:
        raise ValueError(f'slice takes places such as slice:":5" or slice:"2:4", not "{shown(bounds)}"')
    return slice(*(int(place) if place else None for place in places))


def _counted(length: Any, name: str) -> int:
    count = _number(length)
    if not isinstance(count, int):
        raise ValueError(f'{name} takes how many are shown, such as {name}:20, not "{shown(length)}"')
    return count


def _cut(text: str) -> str:
    if len(text) > VALUE_LIMIT:
        raise ValueError(f"a value has more than {VALUE_LIMIT:,} characters")
    return text


def _number(value: Any) -> Number | None:
    try:
        return number(value)
    except ValueError:
        return None


def _decimals(value: Any) -> int:
    count = _number(value)
    if not isinstance(count, int) or not 0 <= count <= DECIMALS_LIMIT:
        raise ValueError(f'"{shown(value)}" decimals were asked for, 0 to {DECIMALS_LIMIT} are possible')
    return count


def _day(moment: datetime) -> tuple[int, int, int]:
    return moment.year, moment.month, moment.day


_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))

FILTERS: dict[str, Filter] = {
    "number": with_separators,
    "percent": percent,
    "signed": signed,
    "compact": compact,
    "date": formatted_date,
    "default": _default,
    "upper": _texted(str.upper),
    "lower": _texted(str.lower),
    "title": _texted(str.title),
    "capfirst": _texted(lambda text: text[:1].upper() + text[1:]),
    "truncatechars": _shortened,
    "truncatewords": _shortened_words,
    "urlencode": _texted(lambda text: quote(text, safe="")),
    "join": joined,
    "slice": sliced,
    "first": _first,
    "last": _last,
    "length": _length,
    "yesno": _yesno,
    "pluralize": _pluralize,
    "divisibleby": _divisible,
}
