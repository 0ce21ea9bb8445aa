"""The `:name` placeholders of a query's text, found with the tokenizer of the source's own dialect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise, takewhile

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from widgets_app.errors import DefinitionError
from widgets_app.sources.base import KEY_PREFIX, is_key_name

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY_NAME = re.compile(rf"{KEY_PREFIX}[a-z][a-z0-9_]*")
_ENDS_A_VALUE = re.compile(r"""[\w"'`)\]}]""")

# What may stand before and after a condition, so that brackets around it change nothing.
_BEFORE = frozenset(
    {TokenType.WHERE, TokenType.ON, TokenType.HAVING, TokenType.QUALIFY, TokenType.WHEN, TokenType.L_PAREN}
    | {TokenType.AND, TokenType.OR}
)
_AFTER = frozenset(
    {TokenType.AND, TokenType.OR, TokenType.R_PAREN, TokenType.COMMA, TokenType.THEN, TokenType.SEMICOLON}
    | {TokenType.GROUP_BY, TokenType.HAVING, TokenType.QUALIFY, TokenType.WINDOW, TokenType.ORDER_BY}
    | {TokenType.LIMIT, TokenType.OFFSET, TokenType.FETCH}
    | {TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT}
    | {TokenType.WHERE, TokenType.JOIN, TokenType.LEFT, TokenType.RIGHT, TokenType.FULL, TokenType.INNER}
    | {TokenType.CROSS}
)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One place in a text: `text[start:end]` is the colon and the name."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Template:
    """A query's text, without semicolons at its end, and the places in it that take a value."""

    text: str
    places: tuple[Placeholder, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders, each once, in order of first use."""
        return tuple(dict.fromkeys(place.name for place in self.places))

    def render(self, write: Callable[[str], str]) -> str:
        """Return the text with `write(name)` in place of each placeholder, all else untouched."""
        pieces, end = [], 0
        for place in self.places:
            pieces += [self.text[end : place.start], write(place.name)]
            end = place.end
        return "".join([*pieces, self.text[end:]])


def find(text: str, *, dialect: str) -> Template:
    """Find the placeholders of a text in a dialect that sqlglot knows.

    Raises DefinitionError for text that can't be split into tokens and for names that can't be used.
    """
    tokens = tokens_of(text, dialect)
    places = tuple(_places(text, tokens))
    check_names(dict.fromkeys(place.name for place in places))
    return Template(text[: _end(text, tokens)], places)


def check_names(names: Iterable[str]) -> None:
    """Raise DefinitionError for names that aren't plain ASCII, or differ only in case."""
    seen: dict[str, str] = {}
    for name in names:
        if not _NAME.fullmatch(name):
            raise DefinitionError(
                f'The placeholder ":{name}" has letters that can\'t be used. '
                "Name it with the letters a to z, digits and underscores."
            )
        if is_key_name(name) and not _KEY_NAME.fullmatch(name):
            raise DefinitionError(
                f'The placeholder ":{name}" can\'t be used: names that start with "{KEY_PREFIX}" take values that the '
                f"caller holds, and are written in small letters, such as :{KEY_PREFIX}desk."
            )
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            raise DefinitionError(f'The placeholders ":{twin}" and ":{name}" differ only in case. Spell them alike.')


def with_all_rows(text: str, *, dialect: str) -> str:
    """Write each condition `desk in :key_desk` so that it also holds where the value is null, which means all rows.

    Raises DefinitionError where such a placeholder stands elsewhere: with brackets put around a part of something
    larger, callers might see rows that they may not see.
    """
    tokens = tokens_of(text, dialect)
    pieces, end = [], 0
    for number, (colon, word) in enumerate(pairwise(tokens)):
        name = text[word.start : word.end + 1]
        if _is_place(text, colon, word) and is_key_name(name):
            before, after, closing = _unbracketed(tokens[:number], tokens[number + 2 :], word)
            start = _operand(before, after, name)
            pieces += [text[end:start], f"({text[start : before[-1].end + 1]} :{name} or :{name} is null)"]
            end = closing.end + 1
    return "".join([*pieces, text[end:]])


def _unbracketed(before: list[Token], after: list[Token], word: Token) -> tuple[list[Token], list[Token], Token]:
    """Return the tokens before and after a placeholder and the last one of its own, which may be a bracket."""
    bracketed = before[-1:] and before[-1].token_type is TokenType.L_PAREN
    if bracketed and after and after[0].token_type is TokenType.R_PAREN:
        return before[:-1], after[1:], after[0]
    return before, after, word


def _operand(before: list[Token], after: list[Token], name: str) -> int:
    """Return where the condition starts whose IN ends `before`: a column or a call, and nothing else beside it."""
    is_in = bool(before) and before[-1].token_type is TokenType.IN
    first = _first_of_operand(before[:-1]) if is_in else 0
    ends = not after or after[0].token_type in _AFTER
    if not (is_in and ends and 0 < first < len(before) - 1 and _stands_alone(before[:first])):
        column = name.removeprefix(KEY_PREFIX)
        raise DefinitionError(
            f'The placeholder ":{name}" can\'t be used here: it is a list of values that the caller holds. '
            f"Write a condition of its own, such as ({column} in :{name}), with a column before IN, and no NOT."
        )
    return before[first].start


def _first_of_operand(tokens: list[Token]) -> int:
    """Return the number of the token with which the column, call or bracket begins that the tokens end with."""
    first = _opening(tokens) if tokens and tokens[-1].token_type is TokenType.R_PAREN else len(tokens)
    while first > 0 and _is_word(tokens[first - 1]):
        first -= 1
        if first == 0 or tokens[first - 1].token_type is not TokenType.DOT:
            break
        first -= 1
    return first


def _opening(tokens: list[Token]) -> int:
    """Return the number of the bracket that the last one closes, 0 where there is none."""
    depth = 0
    for number in range(len(tokens) - 1, 0, -1):
        kind = tokens[number].token_type
        depth += (kind is TokenType.R_PAREN) - (kind is TokenType.L_PAREN)
        if depth == 0:
            return number
    return 0


def _is_word(token: Token) -> bool:
    is_name = token.token_type is TokenType.IDENTIFIER or token.text.isidentifier()
    return is_name and token.token_type not in _BEFORE | {TokenType.NOT, TokenType.STRING}


def _stands_alone(before: list[Token]) -> bool:
    if before[-1].token_type is not TokenType.AND:
        return before[-1].token_type in _BEFORE
    # The AND of a BETWEEN joins no conditions.
    since = takewhile(lambda token: token.token_type not in _BEFORE, reversed(before[:-1]))
    return all(token.token_type is not TokenType.BETWEEN for token in since)


def tokens_of(text: str, dialect: str) -> list[Token]:
    """Split a text into tokens, comments left out. Raises DefinitionError where that can't be done."""
    try:
        return Dialect.get_or_raise(dialect).tokenize(text)
    except TokenError:
        raise DefinitionError(
            "The query can't be read to its end. Look for a quote or a comment that is opened and never closed."
        ) from None


def _places(text: str, tokens: list[Token]) -> Iterable[Placeholder]:
    for colon, word in pairwise(tokens):
        if _is_place(text, colon, word):
            yield Placeholder(text[word.start : word.end + 1], colon.start, word.end + 1)


def _is_place(text: str, colon: Token, word: Token) -> bool:
    if colon.token_type is not TokenType.COLON or word.start != colon.end + 1:
        return False
    # A colon right after a value is a slice or the value of a struct: a[1:n], {k:v}.
    is_slice = _ENDS_A_VALUE.match(text[colon.start - 1 : colon.start])
    return text[word.start : word.end + 1].isidentifier() and not is_slice


def _end(text: str, tokens: list[Token]) -> int:
    end = len(text)
    for token in reversed(tokens):
        if token.token_type is not TokenType.SEMICOLON:
            break
        end = token.start
    return end
