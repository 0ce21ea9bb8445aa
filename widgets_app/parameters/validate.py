"""From the query or body of a request to typed values: nothing below this line reads text from a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any

from widgets_app.errors import BadRequest
from widgets_app.parameters.types import ParameterSpec, Scalar, default_texts, parse


def validate(specs: Iterable[ParameterSpec], query: Mapping[str, object], *, now: datetime) -> dict[str, Any]:
    """Return one typed value for each parameter: text, number, boolean, date, a tuple of these, or None.

    `query` maps a name to a text, number or boolean, None, or a list of these: `dict(request.GET.lists())` or
    a JSON object. Unknown names are passed over; empty and missing mean the default. `now` is the time, with
    its zone, of `$currentDate`. Raises BadRequest in one line.
    """
    return {spec.name: _value(spec, query.get(spec.name), now) for spec in specs}


def merge(groups: Iterable[Sequence[ParameterSpec]]) -> tuple[ParameterSpec, ...]:
    """Return the parameters of several widgets on one path as one set, in order of first appearance.

    Where they differ the wider reading wins: text for different types, all choices, the outer bounds, several
    values; a default only where all that have the parameter agree; required only where all of them say so.
    """
    sets = list(groups)
    found: dict[str, list[ParameterSpec]] = {}
    for spec in chain.from_iterable(sets):
        found.setdefault(spec.name, []).append(spec)
    return tuple(_merged(specs, in_all=len(specs) == len(sets)) for specs in found.values())


def _value(spec: ParameterSpec, given: object, now: datetime) -> Any:
    try:
        value = parse(spec, given, now=now)
        if value is None:
            value = parse(spec, spec.default, now=now)
    except ValueError as error:
        raise BadRequest(f"{spec.title}: {error}") from None
    if value is None and spec.required:
        raise BadRequest(f"{spec.title} has no value. {spec.expected}")
    return value


def _merged(specs: Sequence[ParameterSpec], *, in_all: bool) -> ParameterSpec:
    first = specs[0]
    return replace(
        first,
        type=first.type if len({spec.type for spec in specs}) == 1 else "text",
        default=first.default if len({default_texts(spec) for spec in specs}) == 1 else None,
        required=in_all and all(spec.required for spec in specs),
        several=any(spec.several for spec in specs),
        choices=_all_choices(specs),
        minimum=_outer(min, [spec.minimum for spec in specs]),
        maximum=_outer(max, [spec.maximum for spec in specs]),
    )


def _all_choices(specs: Sequence[ParameterSpec]) -> dict[str, Scalar] | None:
    union: dict[str, Scalar] = {}
    for spec in specs:
        if spec.choices is None:
            return None
        for text, value in spec.choices.items():
            # One widget's number and another's text meet as text.
            union[text] = value if type(union.get(text, value)) is type(value) else text
    return union


def _outer(pick: Callable[[list[int | float]], int | float], bounds: list[int | float | None]) -> int | float | None:
    known = [bound for bound in bounds if bound is not None]
    return pick(known) if len(known) == len(bounds) else None
