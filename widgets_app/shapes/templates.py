"""Templates: a small, closed part of Django's template language, in which a text reaches nothing but its data."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, NoReturn

from django.template import Context, Library
from django.template.base import (
    FilterExpression,
    Lexer,
    Node,
    NodeList,
    Origin,
    Parser,
    TextNode,
    Token,
    Variable,
    VariableNode,
)
from django.template.defaulttags import ForNode, IfChangedNode, IfNode, WithNode
from django.template.defaulttags import register as django_tags
from django.template.exceptions import TemplateSyntaxError
from django.utils.safestring import SafeString

from widgets_app.errors import SourceFailed, one_line
from widgets_app.shapes.filters import FILTERS

TEXT_LIMIT = 100_000  # characters of a template
TAG_LIMIT = 1_000  # characters between two braces
FILTERS_LIMIT = 10  # filters on one value
OUTPUT_LIMIT = 5_000_000  # characters that come out
SECONDS_LIMIT = 3.0  # time of one rendering
KEPT_TEMPLATES = 256

TAGS = ("comment", "for", "if", "ifchanged", "widthratio", "with")

# Without braces inside, a tag is found in one go however many are opened and never closed.
_TAG = re.compile(r"(\{%[^{}\n]*%\}|\{\{[^{}\n]*\}\}|\{#[^{}\n]*#\})")
# A line with nothing but a tag would leave an empty line, which ends a table in Markdown.
_LONE_TAG = re.compile(r"^[ \t]*(\{%[^{}\n]*%\}|\{#[^{}\n]*#\})[ \t]*\r?\n", re.MULTILINE)
# Stands for the end of such a line, which counts and is not shown. No text that is stored has it.
_LONE_END = "\0"
# They pass on what their parts came to; the parts are counted.
_CONTAINERS = (ForNode, IfNode, IfChangedNode, WithNode)

Escape = Callable[[object], str]


def is_template(text: str) -> bool:
    """Say whether a text has tags or values of the template language."""
    return "{{" in text or "{%" in text


def check(text: str) -> str:
    """Return a text that is right; ValueError in one line, with the number of the line, for one that is not."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"The text has {len(text):,} characters. Shorten it to {TEXT_LIMIT:,}.")
    if is_template(text):
        _parsed(text)
    return text


def render(text: str, values: Mapping[str, Any], *, escape: Escape) -> str:
    """Fill a template; `escape` writes a value as text. Raises SourceFailed in one line when it takes too much."""
    context = _Values({name: _data(value) for name, value in values.items()}, escape)
    try:
        return str(_parsed(text).render(context))
    except SourceFailed:
        raise
    except Exception as error:
        raise SourceFailed(f"The widget's template failed: {_reason(error)} Correct the text.") from error


class _Values(Context):
    """The data of one rendering, and what it has used up."""

    def __init__(self, values: dict[str, Any], escape: Escape) -> None:
        super().__init__(values, use_l10n=False, use_tz=False)
        self.escape = escape
        self.size = 0
        self.deadline = time.monotonic() + SECONDS_LIMIT

    def spend(self, size: int = 0) -> None:
        """Count characters; raises SourceFailed at the limits of size and time."""
        self.size += size
        if self.size > OUTPUT_LIMIT:
            what = f"more than {OUTPUT_LIMIT:,} characters"
        elif time.monotonic() > self.deadline:
            what = f"longer than {SECONDS_LIMIT:g} s"
        else:
            return
        raise SourceFailed(f"The widget's template takes {what}. Show fewer rows, or loop over less.")


class _Lookup(Variable):
    """A name with dots: members of objects, places in lists, `.items` of objects; no attributes, no calls."""

    def _resolve_lookup(self, context: Any) -> Any:
        current = context
        for step in self.lookups:  # type: ignore[union-attr]  # set where there is no literal
            current = _member(current, step)
        return current


def _member(value: Any, step: str) -> Any:
    if isinstance(value, Context | dict) and step in value:
        return value[step]
    if isinstance(value, dict) and step == "items":
        return list(value.items())
    if isinstance(value, list) and step.isascii() and step.isdigit():
        return value[int(step)] if len(step) < TAG_LIMIT and int(step) < len(value) else None
    return None


class _Expression(FilterExpression):
    """A value with its filters, which looks names up in its own way."""

    def __init__(self, token: str, parser: Parser) -> None:
        super().__init__(token, parser)
        if len(self.filters) > FILTERS_LIMIT:
            raise TemplateSyntaxError(f"There are {len(self.filters)} filters on one value. Use {FILTERS_LIMIT}.")
        self.var = _own(self.var)
        self.filters = [(each, [(named, _own(arg)) for named, arg in args]) for each, args in self.filters]

    def resolve(self, context: Any, ignore_failures: bool = False) -> Any:
        context.spend()
        return super().resolve(context, ignore_failures=True)


def _own(value: Any) -> Any:
    return _Lookup(value.var) if isinstance(value, Variable) else value


class _Fault(Exception):
    """What is wrong with one part of a template, with its line."""


class _Part(Node):
    """A part of a template whose output is counted; `line` is where it stands."""

    def __init__(self, node: Node, line: int | None) -> None:
        self.node = node
        self.line = line
        self.counted = not isinstance(node, _CONTAINERS)

    def render(self, context: Any) -> SafeString:
        try:
            text = self._shown(context)
        except (SourceFailed, _Fault, RecursionError):
            raise
        except Exception as error:
            # Django wraps nothing: a comparison, a loop or a filter can raise whatever Python raises.
            raise _Fault(f"Line {self.line}: {self._reason(error)}") from error
        context.spend(len(text) if self.counted else 0)
        return SafeString(text)

    render_annotated = render

    def _reason(self, error: Exception) -> str:
        if isinstance(self.node, ForNode) and isinstance(error, TypeError):
            return "The loop goes over something that is no list. Loop over rows, or over a column that holds lists."
        return _reason(error)

    def _shown(self, context: Any) -> str:
        if not isinstance(self.node, VariableNode):
            return self.node.render(context)
        value = self.node.filter_expression.resolve(context)
        # What the author wrote between quotes is part of the text.
        return value if isinstance(value, SafeString) else context.escape(value)


class _Lexer(Lexer):
    def tokenize(self) -> list[Token]:
        """Cut the text at its tags, in linear time."""
        tokens, line, is_tag = [], 1, False
        for piece in _TAG.split(self.template_string):
            if is_tag and len(piece) > TAG_LIMIT:
                raise TemplateSyntaxError(f"A tag on line {line} is longer than {TAG_LIMIT:,} characters.")
            if shown := piece.replace(_LONE_END, ""):
                tokens.append(self.create_token(shown, None, line, is_tag))
            line += piece.count("\n") + piece.count(_LONE_END)
            is_tag = not is_tag
        return tokens


class _Parser(Parser):
    """A parser that knows the allowed tags and filters only."""

    def extend_nodelist(self, nodelist: NodeList, node: Node, token: Token) -> None:
        nodelist.contains_nontext = not isinstance(node, TextNode)
        nodelist.append(_Part(node, token.lineno))

    def compile_filter(self, token: str) -> FilterExpression:
        return _Expression(token, self)

    def find_filter(self, filter_name: str) -> Any:
        if filter_name not in self.filters:
            raise TemplateSyntaxError(f'There is no filter "{filter_name}". Use one of {", ".join(FILTERS)}.')
        return self.filters[filter_name]

    def invalid_block_tag(self, token: Token, command: str, parse_until: Any = None) -> NoReturn:
        if command in TAGS or not parse_until:
            known = f"Use one of {', '.join(TAGS)}."
        else:
            known = f"{', '.join(parse_until)} or one of {', '.join(TAGS)} may stand here."
        raise self.error(token, f'There is no tag "{command}" to use here. {known}')


def _library() -> Library:
    library = Library()
    for name in TAGS:
        library.tag(name, django_tags.tags[name])
    for name, each in FILTERS.items():
        library.filter(name, each)
    return library


_LIBRARY = _library()


@lru_cache(maxsize=KEPT_TEMPLATES)
def _parsed(text: str) -> NodeList:
    try:
        tokens = _Lexer(_LONE_TAG.sub(rf"\1{_LONE_END}", text)).tokenize()
        return _Parser(tokens, {}, [_LIBRARY], Origin("template")).parse()
    except (TemplateSyntaxError, ValueError, RecursionError, OverflowError, IndexError) as error:
        raise ValueError(f"{_place(error)}{_reason(error)}") from None


def _place(error: Exception) -> str:
    line = getattr(getattr(error, "token", None), "lineno", None)
    return f"Line {line}: " if line else ""


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "Its tags are nested too deeply."
    return f"{one_line(str(error)).rstrip('.') or 'It can not be read'}."


def _data(value: Any) -> Any:
    """Return a value as JSON has it, with no methods worth calling."""
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
