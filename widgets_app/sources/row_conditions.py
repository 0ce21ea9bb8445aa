"""Conditions on what callers hold, as in `desk in :key_desk`: what callers see of rows depends on them."""

from __future__ import annotations

from itertools import pairwise, takewhile

from sqlglot.tokenizer_core import Token, TokenType

from widgets_app.errors import DefinitionError
from widgets_app.sources.base import KEY_PREFIX, is_key_name
from widgets_app.sources.placeholders import is_place, tokens_of

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


def with_all_rows(text: str, *, dialect: str) -> str:
    """Write each condition `desk in :key_desk` so that it also holds where the value is null, which means all rows.

    Raises DefinitionError where such a placeholder stands elsewhere: with brackets put around a part of something
    larger, callers might see rows that they may not see.
    """
    tokens = tokens_of(text, dialect)
    pieces, end = [], 0
    for number, (colon, word) in enumerate(pairwise(tokens)):
        name = text[word.start : word.end + 1]
        if is_place(text, colon, word) and is_key_name(name):
            before, after, closing = _unbracketed(tokens[:number], tokens[number + 2 :], word)
            start = _operand(before, after)
            # What holds another condition is more than a column.
            if start is None or start < end:
                raise _misplaced(name)
            pieces += [text[end:start], f"({text[start : before[-1].end + 1]} :{name} or :{name} is null)"]
            end = closing.end + 1
    return "".join([*pieces, text[end:]])


def _unbracketed(before: list[Token], after: list[Token], word: Token) -> tuple[list[Token], list[Token], Token]:
    """Return the tokens before and after a placeholder and the last one of its own, which may be a bracket."""
    bracketed = before[-1:] and before[-1].token_type is TokenType.L_PAREN
    if bracketed and after and after[0].token_type is TokenType.R_PAREN:
        return before[:-1], after[1:], after[0]
    return before, after, word


def _misplaced(name: str) -> DefinitionError:
    column = name.removeprefix(KEY_PREFIX)
    return DefinitionError(
        f'The placeholder ":{name}" can\'t be used here: it is a list of values that the caller holds. '
        f"Write a condition of its own, such as ({column} in :{name}), with a column before IN, and no NOT."
    )


def _operand(before: list[Token], after: list[Token]) -> int | None:
    """Return where the column or call starts whose IN ends `before`; None where something else is beside it."""
    is_in = bool(before) and before[-1].token_type is TokenType.IN
    first = _first_of_operand(before[:-1]) if is_in else 0
    ends = not after or after[0].token_type in _AFTER
    alone = 0 < first < len(before) - 1 and _stands_alone(before[:first])
    return before[first].start if is_in and ends and alone else None


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
