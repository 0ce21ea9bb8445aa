"""What one parameter takes: its type, default and limits, and how a value of a request is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from widgets_app.parameters.dates import PREFIX, resolve

Scalar = str | int | float | bool
Value = Scalar | date
Number = int | float

TEXT_LIMIT = 10_000  # characters of one text
VALUES_LIMIT = 1_000  # values of one parameter that takes several
INTEGER_LIMIT = 2**63 - 1  # what the integer columns of databases hold
SHOWN_LENGTH = 60  # characters of a refused value that an error repeats
SHOWN_CHOICES = 10  # choices that an error names

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ][0-9:.,Z+\- ]*)?")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # NUL and halves of surrogate pairs: databases refuse them
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_NOT_IN_QUERIES = ("form", "button")
_CLOSED_BY_OPTIONS = ("text", "tabs")


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter of a widget, or of several widgets on one path.

    `default` is JSON as the definition has it, a list as a tuple. `choices` maps the text of each allowed
    value to the value itself, or is None where any value goes. Both bounds of a number are allowed values.
    """

    name: str
    type: str = "text"
    label: str = ""
    default: Scalar | tuple[Scalar, ...] | None = None
    required: bool = False
    several: bool = False
    choices: Mapping[str, Scalar] | None = None
    minimum: Number | None = None
    maximum: Number | None = None

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> ParameterSpec:
        """Read one entry of a widget's `params`; what does not fit is left out, nothing is refused."""
        kind, label = entry.get("type"), entry.get("label")
        spec = cls(
            name=as_text(entry.get("paramName")),
            type=kind if isinstance(kind, str) and kind in _READERS else "text",
            label=label if isinstance(label, str) else "",
            required=str(entry.get("optional")).lower() == "false",
            several=_flag(entry, "multiSelect") or _takes_free_entries(entry),
        )
        return _with_default(_with_limits(spec, entry), entry.get("value"))

    @property
    def title(self) -> str:
        """How an error names the parameter: its label and its name."""
        labelled = self.label and self.label != self.name
        return f'Parameter "{self.label}" ({self.name})' if labelled else f'Parameter "{self.name}"'

    @property
    def expected(self) -> str:
        """The sentence that says what to send, with an example."""
        if self.choices is not None:
            return _choice_sentence(self.choices)
        return _SENTENCES.get(self.type, _text_sentence)(self)


def flatten(params: object) -> list[dict[str, Any]]:
    """Return the entries of `params`, flat or in rows, in order; what is not an entry is passed over."""
    rows = params if isinstance(params, list) else []
    entries = [entry for row in rows for entry in (row if isinstance(row, list) else [row])]
    return [entry for entry in entries if isinstance(entry, dict)]


def specs_of(params: object) -> tuple[ParameterSpec, ...]:
    """Return what requests carry of `params`: no forms, buttons or nameless ones, each name once."""
    found: dict[str, ParameterSpec] = {}
    for entry in flatten(params):
        if entry.get("type") not in _NOT_IN_QUERIES:
            spec = ParameterSpec.from_document(entry)
            found.setdefault(spec.name, spec)
    found.pop("", None)
    return tuple(found.values())


def parse(spec: ParameterSpec, given: object, *, now: datetime) -> Value | tuple[Value, ...] | None:
    """Return what came as a typed value, a tuple where the parameter takes several, None where nothing came.

    `given` is a text, number or boolean, None, or a list of these; `now` is the time, with its zone, of
    `$currentDate`. Raises ValueError in one line that says what is wrong and what to send.
    """
    pieces = list(_pieces(spec, given))
    if not pieces:
        return None
    if len(pieces) > VALUES_LIMIT:
        raise ValueError(f"{len(pieces):,} values came. Send at most {VALUES_LIMIT:,}, joined by commas.")
    read = _READERS[spec.type]
    if spec.several:
        return tuple(read(spec, piece, now) for piece in pieces)
    if len({as_text(piece) for piece in pieces}) > 1:
        raise ValueError(f"{len(pieces)} values came, but it takes one. {spec.expected}")
    return read(spec, pieces[0], now)


def default_texts(spec: ParameterSpec) -> tuple[str, ...]:
    """Return the default's values as texts, so that `5` and `"5"`, or a list and a joined text, are equal."""
    return tuple(as_text(piece) for piece in _pieces(spec, spec.default))


def number(value: object) -> Number:
    """Read a JSON number or the text of one; raises ValueError for all else, NaN and huge ones too."""
    text = "" if isinstance(value, bool) else as_text(value).strip()
    if _INTEGER.fullmatch(text):
        if abs(int(text)) <= INTEGER_LIMIT:
            return int(text)
    elif _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    raise ValueError(f'"{shown(value)}" is not a number that can be used.')


def as_text(value: object) -> str:
    """Write a value as a request carries it: `true`, `30`, `2026-03-01`, `a,b`, nothing for None."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < INTEGER_LIMIT:
            return str(int(value))
        case list() | tuple():
            return ",".join(as_text(item) for item in value)
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def storable_text(text: str) -> bool:
    """Say whether every database can keep a text."""
    return not _UNSTORABLE.search(text)


def is_true(value: object) -> bool:
    """Say whether a value of a request means yes; what is no switch at all means no."""
    return isinstance(value, Scalar) and _BOOLEANS.get(as_text(value).strip().lower(), False)


def shown(value: object) -> str:
    """Write a value for an error: cut, and without characters that hide or break the line."""
    text = as_text(value)
    cut = text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
    return "".join(char if char.isprintable() else "?" for char in cut)


def _with_limits(spec: ParameterSpec, entry: Mapping[str, Any]) -> ParameterSpec:
    low, high = _bound(entry.get("min")), _bound(entry.get("max"))
    if low is not None and high is not None and low > high:
        low = high = None  # bounds that allow nothing say nothing
    closed = spec.type in _CLOSED_BY_OPTIONS and not _takes_free_entries(entry)
    choices = _choices(entry.get("options")) if closed else None
    return replace(spec, minimum=low, maximum=high, choices=choices)


def _with_default(spec: ParameterSpec, value: Any) -> ParameterSpec:
    try:
        pieces = tuple(_pieces(spec, value))
        default = pieces if isinstance(value, list) else value
        wider = replace(spec, default=default, choices=_with_choices(spec.choices, pieces))
        parse(wider, value, now=datetime.now(UTC))
    except ValueError:
        return spec
    return wider if pieces else spec


def _choices(options: object) -> dict[str, Scalar] | None:
    found: dict[str, Scalar] = {}
    for option in options if isinstance(options, list) else []:
        value = option.get("value", option.get("label")) if isinstance(option, dict) else option
        if isinstance(value, Scalar) and value != "":
            found.setdefault(as_text(value), value)
    return found or None


def _with_choices(choices: Mapping[str, Scalar] | None, defaults: Iterable[Scalar]) -> dict[str, Scalar] | None:
    # Workspace sends the default with every call, so it is always one of the values.
    return None if choices is None else {**choices, **{as_text(value): value for value in defaults}, **choices}


def _flag(entry: Mapping[str, Any], key: str) -> bool:
    return str(entry.get(key)).lower() == "true"


def _takes_free_entries(entry: Mapping[str, Any]) -> bool:
    return _flag(entry, "multiple") or _flag(entry, "editable")


def _bound(value: object) -> Number | None:
    try:
        return number(value)
    except ValueError:
        return None


def _pieces(spec: ParameterSpec, given: object) -> Iterator[Scalar]:
    """Yield the single values of what came, without the empty ones."""
    for item in given if isinstance(given, list | tuple) else [given]:
        if isinstance(item, str):
            yield from _split(spec, item)
        elif isinstance(item, Scalar):
            yield item
        elif item is not None:
            raise ValueError(f"an object or a list came as a value. {spec.expected}")


def _split(spec: ParameterSpec, text: str) -> list[str]:
    whole = not spec.several or (spec.choices is not None and text in spec.choices)
    parts = [text] if whole else [part.strip() for part in text.split(",")]
    return [part for part in parts if part and not part.isspace()]


def _read_number(spec: ParameterSpec, raw: Scalar, _: datetime) -> Value:
    try:
        value = number(raw)
    except ValueError as error:
        raise ValueError(f"{error} {spec.expected}") from None
    if spec.minimum is not None and value < spec.minimum:
        raise ValueError(f'"{shown(raw)}" is less than {as_text(spec.minimum)}. {spec.expected}')
    if spec.maximum is not None and value > spec.maximum:
        raise ValueError(f'"{shown(raw)}" is more than {as_text(spec.maximum)}. {spec.expected}')
    return value


def _read_text(spec: ParameterSpec, raw: Scalar, _: datetime) -> Value:
    text = as_text(raw)
    if len(text) > TEXT_LIMIT:
        raise ValueError(f'"{shown(text)}" has {len(text):,} characters. {_text_sentence(spec)}')
    if not storable_text(text):
        raise ValueError(f'"{shown(text)}" holds a character that no database stores. {spec.expected}')
    if spec.choices is None:
        return text
    if text not in spec.choices:
        raise ValueError(f'"{shown(text)}" is not one of its values. {spec.expected}')
    return spec.choices[text]


def _read_boolean(spec: ParameterSpec, raw: Scalar, _: datetime) -> Value:
    try:
        return _BOOLEANS[as_text(raw).strip().lower()]
    except KeyError:
        raise ValueError(f'"{shown(raw)}" is neither true nor false. {spec.expected}') from None


def _read_date(spec: ParameterSpec, raw: Scalar, now: datetime) -> Value:
    text = as_text(raw).strip()
    if text.startswith(PREFIX):
        return _read_relative_date(text, now)
    match = _DATE.fullmatch(text)
    try:
        return date.fromisoformat(match[1] if match else "")
    except ValueError:
        raise ValueError(f'"{shown(raw)}" is not a date. {spec.expected}') from None


def _read_relative_date(text: str, now: datetime) -> date:
    try:
        return resolve(text, now=now)
    except ValueError as error:
        raise ValueError(f'"{shown(text)}" is not a date. {error}') from None


_READERS: dict[str, Callable[[ParameterSpec, Scalar, datetime], Value]] = {
    "text": _read_text,
    "number": _read_number,
    "boolean": _read_boolean,
    "date": _read_date,
    "ticker": _read_text,
    "endpoint": _read_text,
    "tabs": _read_text,
}


def _choice_sentence(choices: Mapping[str, Scalar]) -> str:
    first = ", ".join(shown(text) for text in islice(choices, SHOWN_CHOICES))
    more = len(choices) - SHOWN_CHOICES
    return f"Send one of: {first} and {more} more." if more > 0 else f"Send one of: {first}."


def _number_sentence(spec: ParameterSpec) -> str:
    low = "" if spec.minimum is None else f" from {as_text(spec.minimum)}"
    high = "" if spec.maximum is None else f" up to {as_text(spec.maximum)}"
    examples = (*default_texts(spec), as_text(spec.minimum), as_text(spec.maximum), "30")
    return f"Send a number{low}{high}, such as {next(filter(None, examples))}."


def _text_sentence(spec: ParameterSpec) -> str:
    return f"Send a text of up to {TEXT_LIMIT:,} characters, such as {shown(spec.name)}=ABC."


_SENTENCES: dict[str, Callable[[ParameterSpec], str]] = {
    "number": _number_sentence,
    "boolean": lambda _: "Send true or false.",
    "date": lambda _: "Send a date such as 2026-03-01.",
}
