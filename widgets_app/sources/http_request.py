"""The requests of a query: values in them, so that each stays where it belongs, and those for the pages that follow."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import quote, unquote

from widgets_app.errors import BadRequest
from widgets_app.sources.address import PRINTABLE
from widgets_app.sources.base import KEY_PREFIX, is_key_name
from widgets_app.sources.http_rows import picked
from widgets_app.sources.http_text import Definition, Path, name_of
from widgets_app.sources.outbound import UNSENDABLE
from widgets_app.sources.placeholders import Template

# How often a path may be decoded on its way, counted with some to spare.
DECODINGS = 4

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# As they may stand in a part of a path; not the semicolon, by which some servers cut it.
_SAFE_IN_PATH = ",:@"


@dataclass(frozen=True, slots=True)
class Request:
    """One request below the address of the source; `path` begins with a slash, `query` with a question mark."""

    path: str
    pairs: tuple[tuple[str, str], ...] = ()
    body: Any = None
    query: str = ""

    @property
    def target(self) -> str:
        """Path and query as they are sent."""
        pairs = "&".join(f"{name}={value}" for name, value in self.pairs)
        return f"{self.path}?{pairs}" if pairs else self.path + self.query

    @property
    def digest(self) -> bytes:
        """A name of it that tells it from all others."""
        return hashlib.blake2b(f"{self.target}\n{self.body!r}".encode(), digest_size=20).digest()


def first_request(definition: Definition, base: str, values: Mapping[str, Any]) -> Request:
    """Return the request of a query below a path. Raises BadRequest for values that can't stand where they belong."""
    check_held(definition, values)
    segments = [segment(template, values) for template in definition.segments]
    body = definition.body.filled(values) if definition.body else None
    return Request("/".join([base.rstrip("/"), *segments]), tuple(pairs_of(definition, values)), body)


def check_held(definition: Definition, values: Mapping[str, Any]) -> None:
    """Raise BadRequest for values that the caller holds by which an API might take more for allowed than there is."""
    pairs = () if definition.repeats_lists else (template for _, template in definition.pairs)
    joined = {name for one in (*definition.segments, *definition.headers.values(), *pairs) for name in one.names}
    for name in filter(is_key_name, definition.placeholders):
        # None means all rows.
        texts = [""] if values[name] == () else [as_text(value) for value in values[name] or ()]
        if not all(texts) or (name in joined and any("," in text for text in texts)):
            raise BadRequest(
                f'A row value "{name.removeprefix(KEY_PREFIX)}" is empty or has a comma in it, which the API may read '
                'as several. Correct it, or write "lists: repeated" in the query.'
            )


def as_text(value: Any) -> str:
    """Write a value as a request carries it; several joined by commas."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < 2**63:
            return str(int(value))
        case list() | tuple():
            return ",".join(map(as_text, value))
        case date():
            return value.isoformat()
        case _:
            return str(value)


def segment(template: Template, values: Mapping[str, Any]) -> str:
    """Return one part of a path, which stays one whatever the values are. Raises BadRequest for those that can't be."""
    for name in template.names:
        if not (text := as_text(values[name])):
            raise BadRequest(f'The path of the request needs a value for "{name}". Send one.')
        if _CONTROL.search(text):
            raise BadRequest(f'The value of "{name}" has line breaks or control characters. Send it without.')
    filled = template.render(lambda name: quote(as_text(values[name]), safe=_SAFE_IN_PATH))
    if leaves(filled):
        raise BadRequest(
            f'The value of "{template.names[0]}" would lead to another path. Send one without . or .. parts.'
        )
    return filled


def leaves(path: str) -> bool:
    """Say whether a path has a part that leads out of it, even if servers decode it more than once."""
    for _ in range(DECODINGS):
        path = unicodedata.normalize("NFKC", unquote(path))
    return not {".", ".."}.isdisjoint(re.split(r"[/\\]", path))


def pairs_of(definition: Definition, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameters of an address; one whose value is empty is left out."""
    for name, template in definition.pairs:
        given = [values[each] for each in template.names]
        if not all(map(as_text, given)):
            continue
        single = len(given) == 1 and template.text == f":{template.names[0]}"
        if definition.repeats_lists and single and isinstance(given[0], list | tuple):
            yield from ((name, _in_query(value)) for value in given[0])
        else:
            yield name, template.render(lambda each: _in_query(values[each]))


def headers_of(definition: Definition, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of a query, without those whose value is empty. Raises BadRequest for what none may have."""
    headers = {}
    for name, template in definition.headers.items():
        if all(as_text(values[each]) for each in template.names):
            headers[name] = template.render(lambda each: as_text(values[each]))
        if UNSENDABLE.search(headers.get(name, "")):
            raise BadRequest(f"The header {name} can't have that value: it has unusual characters. Send it without.")
    return headers


def _in_query(value: Any) -> str:
    return quote(as_text(value), safe=",:")


def with_parameters(target: str, parameters: Mapping[str, str]) -> str:
    """Return path and query with more parameters; those of the same name, which a next page may have, make way."""
    path, _, query = target.partition("?")
    pairs = [pair for pair in query.split("&") if pair and unquote(pair.partition("=")[0]) not in parameters]
    added = [f"{name}={_in_query(value)}" for name, value in parameters.items()]
    return f"{path}?{'&'.join([*pairs, *added])}" if parameters else target


def is_cursor(value: Any) -> bool:
    """Say whether a value of an answer asks for another page."""
    return value not in ("", None) and isinstance(value, str | int | float) and not isinstance(value, bool)


def counted(request: Request, name: Path, step: int) -> Request:
    """Return the request for the page after this one, by its number or by how many rows were before it."""
    pair = next((value for known, value in request.pairs if known == _pair_name(name)), None)
    now = picked(request.body, name) if pair is None else unquote(pair)
    try:
        return with_value(request, name, int(now) + step)
    except (TypeError, ValueError):
        raise BadRequest(f'"{name_of(name)}" counts pages, and so has to be a whole number. Send one.') from None


def with_value(request: Request, name: Path, value: Any) -> Request:
    """Return the request with one value more, or another one: in its address if it stands there, else in its body."""
    own = _pair_name(name)
    if request.body is not None and own not in {known for known, _ in request.pairs}:
        return replace(request, body=_put(request.body, name, value))
    others = tuple(pair for pair in request.pairs if pair[0] != own)
    return replace(request, pairs=(*others, (own, _in_query(value))))


def _pair_name(name: Path) -> str:
    return quote(str(name[0]), safe=PRINTABLE)


def _put(part: Any, path: Path, value: Any) -> Any:
    """Return JSON with another value at a path; objects on the way are made."""
    if not path:
        return value
    known = part if isinstance(part, dict) else {}
    return {**known, str(path[0]): _put(known.get(str(path[0])), path[1:], value)}
