"""The `:name` placeholders of a query's text, found with the tokenizer of the source's own dialect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from widgets_app.errors import DefinitionError
from widgets_app.sources.base import KEY_PREFIX, is_key_name

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY_NAME = re.compile(rf"{KEY_PREFIX}[a-z][a-z0-9_]*")
_ENDS_A_VALUE = re.compile(r"""[\w"'`)\]}]""")


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
        if is_place(text, colon, word):
            yield Placeholder(text[word.start : word.end + 1], colon.start, word.end + 1)


def is_place(text: str, colon: Token, word: Token) -> bool:
    """Say whether two tokens that follow each other are the colon and the name of a placeholder."""
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
