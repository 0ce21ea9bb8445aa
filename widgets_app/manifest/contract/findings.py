"""What a finding is, and the few questions that every part of a definition is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, Protocol, TypeGuard

from widgets_app.errors import one_line
from widgets_app.vocabulary import Choices, words

Severity = Literal["error", "warning", "info"]
Kind = Literal["text", "flag", "number", "list", "object"]

_KIND_WORDS: Mapping[Kind, str] = {
    "text": "a text",
    "flag": "true or false",
    "number": "a number",
    "list": "a list",
    "object": "an object",
}
_SHOWN_CHARACTERS = 60
_LARGEST_SHOWN = 10**15
_LISTED = 8
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a definition that a reader should know.

    `code` is a stable slug; `where` a place like `params[2].value`, empty for the definition itself;
    `message` says what is wrong and why it matters, `fix` what to do. Each is one line of text.
    """

    severity: Severity
    code: str
    where: str
    message: str
    fix: str


Findings = Iterator[Finding]


class Reporter(Protocol):
    """`error`, `warning` or `info`."""

    def __call__(self, code: str, where: str, message: str, *, fix: str) -> Finding: ...


def error(code: str, where: str, message: str, *, fix: str) -> Finding:
    """Return a finding about a rule: Workspace refuses, ignores or misreads what is there."""
    return _finding("error", code, where, message, fix)


def warning(code: str, where: str, message: str, *, fix: str) -> Finding:
    """Return a finding about something that works, but worse than it could."""
    return _finding("warning", code, where, message, fix)


def info(code: str, where: str, message: str, *, fix: str) -> Finding:
    """Return a finding that is only worth knowing."""
    return _finding("info", code, where, message, fix)


def _finding(severity: Severity, code: str, where: str, message: str, fix: str) -> Finding:
    return Finding(severity, code, where, _printable(message), _printable(fix))


def _printable(text: str) -> str:
    # JSON may hold half a surrogate pair and zeros, which no database and no page takes.
    return one_line(_CONTROL.sub("?", text.encode("utf-8", "replace").decode()))


def join(outer: str, inner: str) -> str:
    """Return the place `inner` as seen from around `outer`."""
    return f"{outer}.{inner}" if outer and inner and not inner.startswith("[") else outer + inner


def step(key: str | int) -> str:
    """Return the place of one member: `name`, `[3]` or, for an unusual key, `["my tab"]`."""
    if isinstance(key, int):
        return f"[{key}]"
    return key if _PLAIN_KEY.fullmatch(key) else f"[{show(key)}]"


def at(place: str, findings: Iterable[Finding]) -> Findings:
    """Move findings about what is at `place` to where they are as seen from around it."""
    for finding in findings:
        yield replace(finding, where=join(place, finding.where))


def under(key: str | int, findings: Iterable[Finding]) -> Findings:
    """Move findings about a member to where they are as seen from its parent."""
    return at(step(key), findings)


def kind_of(value: object) -> Kind:
    """Return which kind of JSON value this is; null is none of them."""
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "object"


def show(value: object) -> str:
    """Return a value for a message: scalars as JSON, cut when long; lists and objects by their kind only."""
    if isinstance(value, str):
        cut = value if len(value) <= _SHOWN_CHARACTERS else value[: _SHOWN_CHARACTERS - 1] + "…"
        return _printable(json.dumps(cut, ensure_ascii=False))
    if isinstance(value, list | dict):
        return _KIND_WORDS[kind_of(value)]
    # Python refuses to write out integers of thousands of digits.
    huge = isinstance(value, int) and abs(value) > _LARGEST_SHOWN
    return "a huge number" if huge else json.dumps(value)


def listing(values: Sequence[str]) -> str:
    """Return texts for a message, quoted and separated by commas; the first few when there are many."""
    shown = ", ".join(show(value) for value in values[:_LISTED])
    return shown if len(values) <= _LISTED else f"{shown} and {len(values) - _LISTED} more"


def is_number(value: object) -> TypeGuard[int | float]:
    """Say whether a value is a number; true and false are none, though Python counts with them."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: object) -> TypeGuard[int | float]:
    """Say whether a value is a whole number; 5.0 is one, as in JavaScript."""
    return is_number(value) and (isinstance(value, int) or value.is_integer())


def is_text(value: object) -> TypeGuard[str]:
    """Say whether a value is a text with something in it."""
    return isinstance(value, str) and bool(value.strip())


def as_object(value: object) -> dict[str, object]:
    """Return an object, or an empty one where there is something else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return a list, or an empty one where there is something else."""
    return value if isinstance(value, list) else []


def check_kinds(item: Mapping[str, object], kinds: Mapping[str, Kind]) -> Findings:
    """Check that each key that is there holds the kind of value Workspace reads; null counts as absent."""
    for key, kind in kinds.items():
        value = item.get(key)
        if value is not None and kind_of(value) != kind:
            yield wrong_kind(key, value, kind)


def wrong_kind(key: str, value: object, kind: Kind) -> Finding:
    """Return the finding about a member of another kind than Workspace reads."""
    wanted = _KIND_WORDS[kind]
    return error(
        "wrong-type",
        step(key),
        f'"{key}" is {show(value)}, but Workspace reads {wanted} there.',
        fix=f'Write {wanted}, or leave "{key}" out.',
    )


def not_an_object(what: str, value: object) -> Finding:
    """Return the finding about `what` being something else than an object."""
    message = f"{what} is {show(value)}, but Workspace reads an object there."
    return error("wrong-type", "", message, fix="Write an object, {...}, or take it out.")


def check_word(
    item: Mapping[str, object], key: str, choices: Choices, *, code: str, report: Reporter = error
) -> Findings:
    """Check that a key holds one word of a closed set."""
    value = item.get(key)
    if value is not None and not (isinstance(value, str) and value in words(choices)):
        yield report(
            code,
            step(key),
            f'"{key}" is {show(value)}, which Workspace does not know, so it has no effect.',
            fix=f"Use one of: {', '.join(word for word, _ in choices)}.",
        )


def check_spelling(
    item: Mapping[str, object], known: frozenset[str], legacy: Mapping[str, str] | None = None
) -> Findings:
    """Report keys under an old name, and keys that are a known key in another spelling."""
    for key in item:
        if meant := meant_key(key, item, known, legacy):
            yield warning(
                "key-spelling",
                step(key),
                f'{show(key)} is an old or wrong spelling of "{meant}", so Workspace may not read it.',
                fix=f'Rename {show(key)} to "{meant}".',
            )


def meant_key(
    key: str, item: Collection[str], known: frozenset[str], legacy: Mapping[str, str] | None = None
) -> str | None:
    """Return the known key that `key` is an old or wrong spelling of, unless the item has that one too."""
    if key in known:
        return None
    meant = (legacy or {}).get(key) or _spellings(known).get(_folded(key))
    return meant if meant and meant not in item else None


def meant_word(value: str, choices: Choices) -> str:
    """Return the word of a closed set that a text is another spelling of, else the text as it is."""
    known = words(choices)
    return value if value in known else _spellings(known).get(_folded(value), value)


@cache
def _spellings(known: frozenset[str]) -> dict[str, str]:
    return {_folded(key): key for key in known}


def _folded(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()
