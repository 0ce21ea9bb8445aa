"""The text of a query over HTTP: a request line, and below it one setting on each line.

    GET /v1/prices/:ticker?from=:start&limit=500
    header: Accept-Language: en
    rows: data.items
    columns: date as day, close (number), meta.currency
    next: page + 1

What is wrong with it becomes a DefinitionError that names line and column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote, unquote

from widgets_app.errors import DefinitionError
from widgets_app.sources import placeholders
from widgets_app.sources.address import PRINTABLE
from widgets_app.sources.base import KEY_PREFIX, is_key_name
from widgets_app.sources.outbound import check_headers
from widgets_app.sources.placeholders import Placeholder, Template

METHODS: Final = ("GET", "POST")
SETTINGS: Final = ("header", "rows", "layout", "key", "names", "columns", "lists", "next", "pages", "body")
KINDS: Final = ("number", "text", "seconds", "milliseconds")
# Pages that one run may read, whatever the query says.
MAX_PAGES: Final = 500
# Headers by which this backend asks for a part of an answer, or for none if it has it.
REFUSED_HEADERS: Final = frozenset(
    {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"}
)

# A step of a path: a name, a number in a list, or all there are.
Step = str | int | None
Path = tuple[Step, ...]

_PLACE = re.compile(r"(?<!\w):([^\W\d]\w*)")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_NAME = r"""[^\s.,:=+()\[\]"'$*]+"""
_BRACKET = rf"\[(?:[0-9]{{1,6}}|\*|{_QUOTED})\]"
_PATH = rf"(?:\$|{_NAME}|{_BRACKET})(?:\.{_NAME}|\.?{_BRACKET})*"
_STEP = re.compile(rf"\[([0-9]+)\]|\[(\*)\]|\[({_QUOTED})\]|({_NAME})")
_COLUMN = re.compile(
    rf"\s*(?:(?P<all>\*)|(?P<path>{_PATH})(?:\s+as\s+(?P<name>{_QUOTED}|{_NAME}))?(?:\s*\((?P<kind>\w+)\))?)\s*(?:,|$)"
)
_NEXT = re.compile(rf"(?P<name>{_PATH})\s*(?:\+\s*(?P<step>1|rows)|=\s*(?P<from>{_PATH}))")
_NO_KEY = re.compile(rf"(?<=\w):{KEY_PREFIX}", re.IGNORECASE)
_BODY_MARK = "\x01"
_WORD = re.compile(r"[a-z]+(?=\s*:)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the result: where its values are in a row, and what they are made into."""

    path: Path
    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Next:
    """How the next page is asked for: by what is counted, by a value of the answer, or by an address in it."""

    how: Literal["page", "offset", "cursor", "link", "header"]
    name: Path = ()
    source: Path = ()


@dataclass(frozen=True, slots=True)
class Body:
    """The JSON to send; `places` are the marks in it that stand for values."""

    json: Any
    places: Mapping[str, str]

    def filled(self, values: Mapping[str, Any]) -> Any:
        """Return it with the values in it, as the JSON that they are."""
        return self._filled(self.json, values)

    def _filled(self, part: Any, values: Mapping[str, Any]) -> Any:
        if isinstance(part, dict):
            return {name: self._filled(value, values) for name, value in part.items()}
        if isinstance(part, list):
            return [self._filled(value, values) for value in part]
        name = self.places.get(part) if isinstance(part, str) else None
        return part if name is None else values[name]


@dataclass(frozen=True, slots=True)
class Definition:
    """A text that was read: the request to send, and what becomes of its answer. `request` is it without values."""

    method: str
    request: str
    segments: tuple[Template, ...]
    pairs: tuple[tuple[str, Template], ...]
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: Body | None = None
    rows: Path = ()
    layout: str = "rows"
    key: str = ""
    names: Path | Literal["first row"] | None = None
    columns: tuple[Column | None, ...] = ()
    repeats_lists: bool = False
    next: Next | None = None
    pages: int = MAX_PAGES

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names of all values that it takes, in order of first use."""
        templates = [*self.segments, *(value for _, value in self.pairs), *self.headers.values()]
        names = [name for template in templates for name in template.names]
        return tuple(dict.fromkeys([*names, *(self.body.places.values() if self.body else ())]))


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a piece of the text begins, counted from 1."""

    line: int
    column: int

    def error(self, message: str, at: int = 0) -> DefinitionError:
        """Return what is wrong so many characters behind it."""
        return DefinitionError(f"Line {self.line}, column {self.column + at}: {message}")


def read(text: str) -> Definition:
    """Read the text of a query. Raises DefinitionError in one line that says where and what to mend."""
    lines = list(_lines(text))
    if not lines:
        raise DefinitionError("There is no request. Begin with a line such as GET /v1/prices/:ticker.")
    method, request, segments, pairs = _request(*lines[0])
    given: dict[str, Any] = {}
    spots: dict[str, Spot] = {}
    for number, (spot, content) in enumerate(lines[1:], start=1):
        word, spot, value = _setting(spot, content)
        if word in spots and word != "header":
            raise spot.error(f"{word} is there already. Leave one.")
        spots[word] = spot
        if word == "body":
            given["body"] = _body(spot, value, lines[number + 1 :])
            break
        _READERS[word](given, spot, value)
    found = Definition(method, request, segments, pairs, **given)
    _check(found, spots)
    placeholders.check_names(found.placeholders)
    _check_keys(found)
    return found


def name_of(path: Path) -> str:
    """Return the name that a column has by its path alone."""
    return "_".join("all" if step is None else str(step) for step in path)


def _lines(text: str) -> Iterator[tuple[Spot, str]]:
    """Yield the lines that say something; what begins with # does not."""
    for number, line in enumerate(text.splitlines(), start=1):
        if (content := line.strip()) and not content.startswith("#"):
            yield Spot(number, len(line) - len(line.lstrip()) + 1), line.strip()


def _request(spot: Spot, text: str) -> tuple[str, str, tuple[Template, ...], tuple[tuple[str, Template], ...]]:
    method, _, rest = text.partition(" ")
    if method not in METHODS:
        raise spot.error('Begin with the request: GET or POST, a space and a path, as in "GET /v1/prices/:ticker".')
    target = rest.strip()
    after = Spot(spot.line, spot.column + len(text) - len(target))
    if not target.startswith("/") or target.startswith("//"):
        raise after.error("The path begins with one slash. It is added to the address of the source.")
    for sign, why in ((" ", "Write %20 for a space."), ("#", "Write %23 for #."), ("\\", "Write %5C for \\.")):
        if sign in target:
            raise after.error(f'"{sign}" can\'t stand in a path. {why}', target.index(sign))
    path, _, query = target.partition("?")
    segments = tuple(_encoded(segment) for segment in path[1:].split("/"))
    if {".", ".."} & {unquote(segment.text) for segment in segments}:
        raise after.error("Leave . and .. out of the path.")
    return method, f"{method} {path}", segments, tuple(_pairs(Spot(after.line, after.column + len(path) + 1), query))


def _pairs(spot: Spot, query: str) -> Iterator[tuple[str, Template]]:
    at = 0
    for pair in query.split("&") if query else ():
        name, sign, value = pair.partition("=")
        if not name or not sign:
            raise spot.error(f'"{pair}" has no name or no value. Write name=value.', at)
        if _PLACE.search(name):
            raise spot.error("A placeholder stands for a value, not for a name. Write name=:value.", at)
        yield quote(name, safe=PRINTABLE), _encoded(value)
        at += len(pair) + 1


def template(text: str) -> Template:
    """Find the placeholders of a text. A colon right behind a letter or a digit is no placeholder."""
    found = tuple(_places(text))
    placeholders.check_names(dict.fromkeys(place.name for place in found))
    return Template(text, found)


def _places(text: str) -> Iterator[Placeholder]:
    return (Placeholder(found[1], found.start(), found.end()) for found in _PLACE.finditer(text))


def _encoded(text: str) -> Template:
    template(text)
    return template(quote(text, safe=PRINTABLE))


def _setting(spot: Spot, text: str) -> tuple[str, Spot, str]:
    found = _WORD.match(text)
    if found is None or found[0] not in SETTINGS:
        raise spot.error(f"A line below the request begins with a setting and a colon: {', '.join(SETTINGS)}.")
    at = text.index(":") + 1
    value = text[at:].strip()
    if not value and found[0] != "body":
        raise spot.error(f"{found[0]} has no value. Write one behind the colon, or take the line away.")
    return found[0], Spot(spot.line, spot.column + len(text) - len(value)), value


def _header(given: dict[str, Any], spot: Spot, text: str) -> None:
    name, sign, value = (part.strip() for part in text.partition(":"))
    if not sign:
        raise spot.error('A header is a name, a colon and a value, as in "header: Accept-Language: en".')
    headers = given.setdefault("headers", {})
    if name.lower() in REFUSED_HEADERS:
        raise spot.error(f"The header {name} is set for each request. Leave it out.")
    if name.lower() in {known.lower() for known in headers}:
        raise spot.error(f"The header {name} is there already. Leave one.")
    try:
        check_headers({name: value})
    except DefinitionError as error:
        raise spot.error(str(error)) from None
    headers[name] = template(value)


def _path_setting(word: str) -> Callable[[dict[str, Any], Spot, str], None]:
    def read_path(given: dict[str, Any], spot: Spot, text: str) -> None:
        given[word] = _path(spot, text)

    return read_path


def _names(given: dict[str, Any], spot: Spot, text: str) -> None:
    given["names"] = "first row" if text == "first row" else _path(spot, text)


def _one_of(word: str, option: str, meaning: Mapping[str, Any]) -> Callable[[dict[str, Any], Spot, str], None]:
    def read_word(given: dict[str, Any], spot: Spot, text: str) -> None:
        if text not in meaning:
            raise spot.error(f"{word} is one of: {', '.join(meaning)}.")
        given[option] = meaning[text]

    return read_word


def _key(given: dict[str, Any], spot: Spot, text: str) -> None:
    given["key"] = _plain_name(text)


def _columns(given: dict[str, Any], spot: Spot, text: str) -> None:
    columns: list[Column | None] = []
    at = 0
    while at < len(text):
        if (found := _COLUMN.match(text, at)) is None:
            raise spot.error('Write columns as in "date, close as price, meta.currency", with commas between.', at)
        if found["kind"] and found["kind"] not in KINDS:
            raise spot.error(f"A column is made into one of: {', '.join(KINDS)}.", found.start("kind"))
        columns.append(None if found["all"] else _column(found))
        at = found.end()
    names = [column.name for column in columns if column]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise spot.error(f'Two columns have the name "{twice}". Name one with "as".')
    given["columns"] = tuple(columns)


def _column(found: re.Match[str]) -> Column:
    path = _steps(found["path"])
    return Column(path, _plain_name(found["name"]) if found["name"] else name_of(path), found["kind"] or "")


def _next(given: dict[str, Any], spot: Spot, text: str) -> None:
    if text == "link header":
        given["next"] = Next("header")
    elif found := _NEXT.fullmatch(text):
        how: Any = {"1": "page", "rows": "offset", None: "cursor"}[found["step"]]
        given["next"] = Next(how, _steps(found["name"]), _steps(found["from"] or ""))
    elif re.fullmatch(_PATH, text):
        given["next"] = Next("link", source=_steps(text))
    else:
        ways = '"page + 1", "offset + rows", "after = meta.cursor", "links.next" or "link header"'
        raise spot.error(f"Say how the next page is found: {ways}.")


def _pages(given: dict[str, Any], spot: Spot, text: str) -> None:
    if not re.fullmatch("[1-9][0-9]{0,3}", text) or int(text) > MAX_PAGES:
        raise spot.error(f"pages is a number from 1 to {MAX_PAGES}.")
    given["pages"] = int(text)


_READERS: Final[Mapping[str, Callable[[dict[str, Any], Spot, str], None]]] = {
    "header": _header,
    "rows": _path_setting("rows"),
    "layout": _one_of("layout", "layout", {"rows": "rows", "columns": "columns"}),
    "key": _key,
    "names": _names,
    "columns": _columns,
    "lists": _one_of("lists", "repeats_lists", {"joined": False, "repeated": True}),
    "next": _next,
    "pages": _pages,
}


def _path(spot: Spot, text: str) -> Path:
    if not re.fullmatch(_PATH, text):
        raise spot.error('That is no path. Write one such as data.items, data[0].rows or ["odd name"].')
    return _steps(text)


def _steps(text: str) -> Path:
    return tuple(_step(found) for found in _STEP.finditer(text))


def _step(found: re.Match[str]) -> Step:
    number, every, quoted, name = found.groups()
    if number or every:
        return int(number) if number else None
    return _plain_name(quoted) if quoted else name


def _plain_name(text: str) -> str:
    try:
        name: str = json.loads(text) if text.startswith('"') else text
    except ValueError:
        return text.strip('"')
    return name


def _body(spot: Spot, first: str, rest: Iterable[tuple[Spot, str]]) -> Body:
    """Read the JSON that is the rest of the text; placeholders in it stand where values do."""
    lines = [*([(spot, first)] if first else []), *rest]
    marked, places = [], {}
    for _, content in lines:
        template_ = _outside_quotes(content)
        places.update({f"{_BODY_MARK}{name}": name for name in template_.names})
        marked.append(template_.render(lambda name: f'"{_BODY_MARK}{name}"'))
    try:
        return Body(json.loads("\n".join(marked), strict=False, parse_constant=_refuse), places)
    except RecursionError:
        raise spot.error("The body is nested too deeply. Send less.") from None
    except json.JSONDecodeError as error:
        raise _where(lines, marked, error).error(f"The body is not JSON: {error.msg}.") from None
    except ValueError as error:
        raise spot.error(f"The body is not JSON: {error}.") from None


def _outside_quotes(text: str) -> Template:
    quoted = [found.span() for found in re.finditer(_QUOTED, text)]
    places = [
        place
        for place in _places(text)
        # The colon behind a name belongs to JSON: {"a":true}.
        if not any(start < place.start and not text[end : place.start].strip() for start, end in quoted)
    ]
    return Template(text, tuple(places))


def _where(lines: list[tuple[Spot, str]], marked: list[str], error: json.JSONDecodeError) -> Spot:
    """Return the place of an error in the text as it was written."""
    if not lines:
        return Spot(1, 1)
    at = min(error.lineno, len(lines)) - 1
    spot, _ = lines[at]
    # Quotes and a mark stand for the colon of each placeholder before it.
    added = 2 * marked[at][: error.colno].count(_BODY_MARK)
    return Spot(spot.line, max(spot.column, spot.column + error.colno - 1 - added))


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON value")


def _check(found: Definition, spots: Mapping[str, Spot]) -> None:
    """Raise DefinitionError for settings that don't go together."""
    if found.body is not None and found.method != "POST":
        raise spots["body"].error("Only a POST has a body. Write POST in the first line, or take the body away.")
    if found.key and found.layout == "columns":
        raise spots["key"].error("A key goes with rows below names, not with layout: columns. Leave one of them.")
    if "pages" in spots and found.next is None:
        raise spots["pages"].error("Without next there is one page only. Add next, or take the line away.")
    if found.next is not None:
        _check_next(found, found.next, spots["next"])


def _check_next(found: Definition, following: Next, spot: Spot) -> None:
    if following.how in ("link", "header"):
        if found.method != "GET":
            raise spot.error('Only a GET goes on at another address. Write a cursor, as in "variables.after = …".')
        return
    name = name_of(following.name)
    if not all(isinstance(step, str) for step in following.name) or (found.body is None and len(following.name) > 1):
        raise spot.error("Name a parameter of the request line in front of + or =, or a place in the body.")
    is_given = name in {unquote(known) for known, _ in found.pairs} or found.body is not None
    if following.how != "cursor" and not is_given:
        raise spot.error(f'Give "{name}" its first value in the request line, as in ?{name}=1.')


def _check_keys(found: Definition) -> None:
    """Raise DefinitionError where something else might stand in for a value that the caller holds, or beside it."""
    templates = [*found.segments, *(value for _, value in found.pairs), *found.headers.values()]
    for one in templates:
        if _NO_KEY.search(one.text):
            raise DefinitionError("A colon right behind a letter or a digit, as in x:key_desk, is no placeholder.")
        if (name := next(filter(is_key_name, one.names), None)) and one.text != f":{name}":
            raise DefinitionError(
                f'The placeholder ":{name}" stands for values that the caller holds. Let nothing else be in its part '
                f"of the path, its parameter or its header, as in desk=:{name}."
            )
    names = [unquote(name) for name, _ in found.pairs]
    held = {unquote(name) for name, value in found.pairs if any(map(is_key_name, value.names))}
    following = found.next.name if found.next else ()
    if name := next((name for name in held if names.count(name) > 1 or following == (name,)), None):
        raise DefinitionError(f'The parameter "{name}" takes what the caller holds. Have nothing else set it.')
    if found.body is not None and following and _holds_key(found.body, following):
        raise DefinitionError("What next sets in the body takes what the caller holds. Name another place.")


def _holds_key(body: Body, path: Path) -> bool:
    """Say whether a path leads to, or through, a value that the caller holds."""
    part = body.json
    for step in path:
        part = part.get(step) if isinstance(part, dict) else part
    marks = json.dumps(part)
    return any(is_key_name(name) and json.dumps(mark) in marks for mark, name in body.places.items())
