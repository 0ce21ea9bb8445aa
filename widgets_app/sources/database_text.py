"""The text of a query for a database: one read, checked, and written with values bound for SQLAlchemy's text()."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.tokenizer_core import Token, TokenType

from widgets_app.errors import DefinitionError
from widgets_app.sources import placeholders
from widgets_app.sources.row_conditions import with_all_rows

ONLY_SELECT = "Only a SELECT can be used."
# Nodes that change data, lock it, write files or set variables, wherever in a statement they stand.
FORBIDDEN = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Set, exp.Copy, exp.Merge)

# MySQL and MariaDB run what stands in these comments.
_RUN_BY_MYSQL = re.compile(r"/\*M?!", re.IGNORECASE)
_NO_SPACE = re.compile(r"\S")


# Dialects that take the type of a subquery's null for text. There, nothing is in a list of null, and all isn't.
_TYPED_NULLS = frozenset({"postgres", "redshift"})
_NOTHING = "(select null from (select 1 as one) as e where 1 = 0)"
# Most databases take no null here.
_MISSING = {TokenType.LIMIT: str(2**63 - 1), TokenType.OFFSET: "0"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a placeholder stands; `before` is the text from the place before it, colons escaped.

    `empty` is what an empty list becomes where the placeholder is the whole of an IN, with brackets or without;
    `missing` is what it becomes without a value, and `tested` says that it is asked for whether it has none.
    """

    before: str
    name: str
    empty: str = ""
    missing: str = ""
    tested: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """A checked text. It is sent without its comments, so that the server reads what was checked and nothing else.

    `ordered` says that it ends in an "order by" that a limit may follow.
    """

    sql: str
    places: tuple[Place, ...]
    rest: str
    tables: tuple[str, ...] = ()
    ordered: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders, each once, in order of first use."""
        return tuple(dict.fromkeys(place.name for place in self.places))

    def written(self, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the text for SQLAlchemy's text() and what it binds.

        What is missing is written as null, as servers can't tell the type of a bound one.
        """
        bound: dict[str, Any] = {}
        names = {name: f"p{number}" for number, name in enumerate(self.names)}
        pieces = (
            (place.before, _written(place, names[place.name], values[place.name], bound)) for place in self.places
        )
        return "".join([*chain.from_iterable(pieces), self.rest]), bound


def _written(place: Place, name: str, given: Any, bound: dict[str, Any]) -> str:
    if place.tested:
        return "null" if given is None else "1"
    if given is None and place.missing:
        return place.missing
    if not isinstance(given, tuple | list):
        text = _bound(name, given, bound)
    elif given:
        text = ", ".join(_bound(f"{name}_{number}", one, bound) for number, one in enumerate(given))
    else:
        return place.empty or "null"
    return f"({text})" if place.empty else text


def _bound(name: str, value: Any, bound: dict[str, Any]) -> str:
    if value is None:
        return "null"
    bound[name] = value
    return f":{name}"


def statement(text: str, *, dialect: str) -> Statement:
    """Check a text and find its placeholders. Raises DefinitionError in one line that says what to mend."""
    if _RUN_BY_MYSQL.search(text):
        raise DefinitionError("Comments that start with /*! are run by some databases. Take them out.")
    plain = with_all_rows(_without_comments(text, dialect), dialect=dialect)
    template = placeholders.find(plain, dialect=dialect)
    tokens = placeholders.tokens_of(template.text, dialect)
    numbers = {token.start: number for number, token in enumerate(tokens)}
    places, end = [], 0
    for one in template.places:
        number = numbers[one.start]
        words = _Words(tokens[:number], tokens[number + 2 :])
        before = escaped(template.text[end : words.start(one.start)])
        places.append(Place(before, one.name, words.empty(dialect), words.missing, words.tested))
        end = words.end(one.end)
    found = Statement(template.text, tuple(places), escaped(template.text[end:]))
    tree = _checked(found, dialect)
    ordered = bool(tree.args.get("order")) and not (tree.args.get("limit") or tree.args.get("offset"))
    return replace(found, tables=table_names(tree), ordered=ordered)


@dataclass(frozen=True, slots=True)
class _Words:
    """The tokens on both sides of a placeholder."""

    before: list[Token]
    after: list[Token]

    @property
    def tested(self) -> bool:
        return bool(self.after) and self.after[0].token_type is TokenType.IS

    @property
    def missing(self) -> str:
        return _MISSING.get(self.before[-1].token_type, "") if self.before else ""

    @property
    def bracketed(self) -> bool:
        """Whether the placeholder stands alone in the brackets of an IN."""
        left = [token.token_type for token in self.before[-2:]] == [TokenType.IN, TokenType.L_PAREN]
        return left and bool(self.after) and self.after[0].token_type is TokenType.R_PAREN

    def start(self, otherwise: int) -> int:
        return self.before[-1].start if self.bracketed else otherwise

    def end(self, otherwise: int) -> int:
        return self.after[0].end + 1 if self.bracketed else otherwise

    def empty(self, dialect: str) -> str:
        """Return what an empty list becomes; nothing where the placeholder isn't the whole of an IN."""
        kinds = [token.token_type for token in (self.before[:-1] if self.bracketed else self.before)[-2:]]
        if kinds[-1:] != [TokenType.IN]:
            return ""
        if dialect not in _TYPED_NULLS:
            return _NOTHING
        return "(null) is not true" if TokenType.NOT in kinds else "(null) is true"


def _without_comments(text: str, dialect: str) -> str:
    """Return the text with spaces in place of comments, every token where it was."""
    tokens = placeholders.tokens_of(text, dialect)
    starts = [*(token.start for token in tokens), len(text)]
    ends = [0, *(token.end + 1 for token in tokens)]
    pieces = [_NO_SPACE.sub(" ", text[end:start]) for end, start in zip(ends, starts, strict=True)]
    kept = [text[token.start : token.end + 1] for token in tokens]
    return "".join(chain.from_iterable(zip(pieces, [*kept, ""], strict=True)))


def escaped(text: str) -> str:
    """Return SQL as SQLAlchemy's text() leaves it alone: it takes what follows a colon for a name, in strings too."""
    return text.replace(":", "\\:")


def _checked(found: Statement, dialect: str) -> exp.Query:
    """Return the tree of a text that is one read; raises DefinitionError otherwise."""
    # No dialect reads placeholders as all databases have them.
    ones = ((place.before, "(1)" if place.empty else "1") for place in found.places)
    plain = "".join([*chain.from_iterable(ones), found.rest]).replace("\\:", ":")
    try:
        trees = [tree for tree in sqlglot.parse(plain, dialect=dialect) if tree is not None]
    except ParseError as error:
        raise DefinitionError(_fault(error)) from None
    except (SqlglotError, RecursionError):
        raise DefinitionError("The query can't be read. Write it more simply.") from None
    if not trees:
        raise DefinitionError("The query is empty. Write a SELECT.")
    if len(trees) > 1:
        raise DefinitionError(f"The query has {len(trees)} statements. Leave one SELECT.")
    if not isinstance(trees[0], exp.Query):
        raise DefinitionError(f"The query is not a plain read. {ONLY_SELECT}")
    if (node := trees[0].find(*FORBIDDEN)) is not None:
        raise DefinitionError(f"The query changes data, locks it or writes it ({node.key.upper()}). {ONLY_SELECT}")
    return trees[0]


def table_names(tree: exp.Query) -> tuple[str, ...]:
    """Return the tables that a query reads, without those it makes itself by WITH; nothing where they can't be told."""
    try:
        sources = chain.from_iterable(scope.sources.values() for scope in traverse_scope(tree))
        return tuple(sorted({dotted(one) for one in sources if isinstance(one, exp.Table) and one.name}))
    except (SqlglotError, RecursionError):
        return ()


def dotted(table: exp.Table) -> str:
    """Return the name of a table with all that qualifies it, without quotes."""
    return ".".join(part.name for part in table.parts)


def _fault(error: ParseError) -> str:
    first = error.errors[0] if error.errors else {}
    where = f"Line {first['line']}, column {first['col']}: " if first.get("line") else ""
    about = re.sub(r"\s+", " ", str(first.get("description") or "it is no SQL")).rstrip(". ")
    near = f' near "{first["highlight"]}"' if first.get("highlight") else ""
    return f"{where}The query can't be read{near}: {about}."
