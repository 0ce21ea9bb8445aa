"""What changed between two documents, key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["added", "changed", "removed", "moved"]
# What names an entry of a list, so that one more at the front does not read as all of them changed.
NAMES = ("paramName", "field", "i", "name", "value", "label")


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where (`definition.params[ticker].value`), what it was and what it is, as short JSON."""

    kind: Kind
    where: str
    old: str = ""
    new: str = ""


def changes(old: Any, new: Any, where: str = "") -> Iterator[Change]:
    """Yield every difference between two JSON values. Members of objects have no order, except where it shows."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _objects(old, new, where, ordered=where.endswith("tabs"))
    elif isinstance(old, list) and isinstance(new, list) and (named := _named(old, new)):
        yield from _objects(*named, where, ordered=True)
    elif not _same(old, new):
        yield Change("changed", where, show(old), show(new))


def show(value: Any) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def _same(old: Any, new: Any) -> bool:
    """Compare as JSON: to Python 1, 1.0 and true are equal."""
    if isinstance(old, str) and isinstance(new, str):
        return old == new
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _objects(old: dict[str, Any], new: dict[str, Any], where: str, *, ordered: bool) -> Iterator[Change]:
    for key in old | new:
        place = f"{where}{key}" if key.startswith("[") else f"{where}.{key}".lstrip(".")
        if key not in new:
            yield Change("removed", place, old=show(old[key]))
        elif key not in old:
            yield Change("added", place, new=show(new[key]))
        else:
            yield from changes(old[key], new[key], place)
    if not ordered:
        return
    both_old, both_new = [k for k in old if k in new], [k for k in new if k in old]
    if both_old != both_new:
        yield Change("moved", where, show(both_old), show(both_new))


def _named(old: list[Any], new: list[Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return both lists as objects keyed by what names their entries, if something does."""
    for name in NAMES:
        keyed = [{f"[{item[name]}]": item for item in items if _has(item, name)} for items in (old, new)]
        if len(keyed[0]) == len(old) and len(keyed[1]) == len(new):
            return keyed[0], keyed[1]
    return None


def _has(item: Any, name: str) -> bool:
    return isinstance(item, dict) and isinstance(item.get(name), str | int | float)
