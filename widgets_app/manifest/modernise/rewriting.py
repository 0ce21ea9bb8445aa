"""The few ways in which a JSON object is rewritten. Each returns a new one and leaves the given one alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from widgets_app.manifest.contract.findings import is_number, meant_key, meant_word
from widgets_app.manifest.diff import show
from widgets_app.vocabulary import Choices

Document = dict[str, Any]

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}")


def same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are equal; to Python 1, 1.0 and true are."""
    return show(one) == show(other)


def without(item: Mapping[str, Any], *keys: str) -> Document:
    """Return an object without some of its members."""
    return {key: value for key, value in item.items() if key not in keys}


def inside(item: Mapping[str, Any], key: str, rewrite: Callable[[Document], Document]) -> Document:
    """Return an object with one member rewritten, if that is an object."""
    value = item.get(key)
    return {**item, key: rewrite(value)} if isinstance(value, dict) else dict(item)


def each(item: Mapping[str, Any], key: str, rewrite: Callable[[Document], Document]) -> Document:
    """Return an object with the objects in one of its lists rewritten."""
    values = item.get(key)
    if not isinstance(values, list):
        return dict(item)
    return {**item, key: [rewrite(value) if isinstance(value, dict) else value for value in values]}


def renamed(
    item: Mapping[str, Any], known: frozenset[str], legacy: Mapping[str, str] | None = None
) -> Document:  # fmt: skip
    """Return an object with the old and wrong spellings of its keys put right, each in its place.

    A key that is there in its right spelling stays as it is; null counts as not there.
    """
    given = {key for key, value in item.items() if value is not None}
    result: Document = {}
    for key, value in item.items():
        name = meant_key(key, given, known, legacy) or key
        if result.get(name) is None:
            result[name] = value
        elif name != key:  # a second spelling of the same key
            result[key] = value
    repeats = {old for old, new in (legacy or {}).items() if old in result and same(result[old], result.get(new))}
    return without(result, *repeats)


def spelled(item: Mapping[str, Any], words: Mapping[str, Choices]) -> Document:
    """Return an object with words of closed sets in their right spelling."""
    return {key: word(value, words[key]) if key in words else value for key, value in item.items()}


def word(value: Any, choices: Choices) -> Any:
    """Return the word of a closed set that a value is another spelling of, else the value."""
    return meant_word(value, choices) if isinstance(value, str) else value


def numbers(item: Mapping[str, Any], *keys: str) -> Document:
    """Return an object with whole numbers instead of texts that say them."""
    return {key: number(value) if key in keys else value for key, value in item.items()}


def number(value: Any) -> Any:
    """Return the whole number that a text says, else the value."""
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) else value


def limited(item: Mapping[str, Any], most: Mapping[str, int], least: Mapping[str, int] | None = None) -> Document:
    """Return an object with numbers brought within limits."""
    result = dict(item)
    for key, value in item.items():
        if is_number(value) and key in most and value > most[key]:
            result[key] = most[key]
        elif is_number(value) and least and key in least and value < least[key]:
            result[key] = least[key]
    return result
