"""Values that keys, users and groups hold for `:key_` placeholders: written by people, read and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from widgets_app.errors import DefinitionError
from widgets_app.models import ALL_ROWS, RowValue
from widgets_app.parameters.types import TEXT_LIMIT, VALUES_LIMIT, number, shown, storable_text

Scalar = str | int | float

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
# One value: a text in quotes, or what stands between commas and line breaks.
_VALUE = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*(?=[,\n]|$)|([^,\n]+)')
# As people write numbers: 007 and 1e5 are codes.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def name_checked(name: str) -> str:
    """Return the name of row values, in small letters. Raises DefinitionError."""
    found = name.strip().lower().removeprefix(":").removeprefix("key_")
    if not _NAME.fullmatch(found):
        raise DefinitionError(
            f'"{shown(name)}" is no name for row values. Write letters from a to z, digits and underscores, a letter '
            "first: desk, for the placeholder :key_desk."
        )
    return found


def values_read(text: str) -> list[Scalar]:
    """Return the values of a text that has them one per line or between commas.

    Digits are a number, unless they stand in quotes, as texts with commas do.
    """
    found = (_read(quoted, plain.strip()) for quoted, plain in _VALUE.findall(text.replace("\r", "\n")))
    return [value for value in found if value != ""]


def _read(quoted: str, plain: str) -> Scalar:
    if quoted:
        try:
            return str(json.loads(quoted))
        except json.JSONDecodeError:
            return quoted
    return number(plain) if _NUMBER.fullmatch(plain) and len(plain) < len(str(2**63)) else plain


def values_written(values: Sequence[Scalar]) -> str:
    """Return values one per line, so that `values_read` reads the same ones."""
    return "\n".join(_written(value) for value in values)


def _written(value: Scalar) -> str:
    text = str(value)
    return text if values_read(text) == [value] else json.dumps(value, ensure_ascii=False)


def values_checked(values: Sequence[Scalar]) -> list[Scalar]:
    """Return values as they are kept, each once. Raises DefinitionError for what can't be bound."""
    kept = list(dict.fromkeys(values))
    if not kept:
        raise DefinitionError("There is no value. Write one at least, or a star alone for all rows.")
    if ALL_ROWS in kept and len(kept) > 1:
        raise DefinitionError("The star means all rows, so it stands alone. Take the other values out, or the star.")
    if len(kept) > VALUES_LIMIT:
        raise DefinitionError(f"There are {len(kept):,} values. Write at most {VALUES_LIMIT:,}.")
    for text in kept:
        if isinstance(text, str) and (len(text) > TEXT_LIMIT or not storable_text(text)):
            raise DefinitionError(f'"{shown(text)}" is too long, or holds a character that no database stores.')
    return kept


def rows_of(given: Mapping[str, Sequence[Scalar]]) -> list[RowValue]:
    """Return unsaved rows for values by name. Raises DefinitionError."""
    return [RowValue(name=name_checked(name), values=values_checked(values)) for name, values in given.items()]
