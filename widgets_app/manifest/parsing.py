"""JSON text from other people: read strictly, and refused with the place and what to do about it."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from widgets_app.errors import DefinitionError
from widgets_app.manifest.contract.findings import show

# Objects and lists inside each other; real definitions need about fifteen.
MAX_DEPTH: Final = 100
MAX_BYTES: Final = 64 * 1024 * 1024
_MB: Final = 1024 * 1024


def parse(content: bytes, *, name: str) -> Any:
    """Return what a JSON file says. Raises DefinitionError, `NAME, line 12, column 5: REASON`, for anything but JSON.

    Stricter than Python: keys are unique within their object, numbers finite, and nesting ends at MAX_DEPTH.
    """
    check_size(len(content), name=name)
    text = _decoded(content, name)
    try:
        document = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise _refusal(text, name, error) from None
    if _is_too_deep(document):
        raise _refusal(text, name)
    return document


def check_size(size: int, *, name: str) -> None:
    """Raise DefinitionError for a file of more than MAX_BYTES; to be asked before the file is read."""
    if size > MAX_BYTES:
        limit = f"{MAX_BYTES // _MB} MB"
        raise DefinitionError(f"{name}: The file has {size / _MB:.1f} MB, and {limit} is the limit. Split it.")


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("A key is repeated.")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("A number is too large.")
    return number


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number.")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_number)


def _is_too_deep(document: object) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level for inner in _members(item) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _members(item: object) -> Any:
    return item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()


def _decoded(content: bytes, name: str) -> str:
    content = content.removeprefix(codecs.BOM_UTF8)
    encoding = json.detect_encoding(content)
    if not encoding.startswith("utf-8"):
        raise _at_start(name, f"The file is written in {encoding[:6].upper()}. Save it as UTF-8.")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(content, error.start, name) from None
    if not (start := text.lstrip(_BLANKS)[:1]):
        raise _at_start(name, "The file is empty. Write a JSON document, [] or {} if there is nothing to say.")
    if start == "<":
        raise _at_start(name, "This is a web page, not JSON. Check the address, and whether it asks for a login.")
    return text


def _at_start(name: str, reason: str) -> DefinitionError:
    return DefinitionError(f"{name}, line 1, column 1: {reason}")


def _not_utf8(content: bytes, offset: int, name: str) -> DefinitionError:
    before = content[:offset].decode()  # all of it is good up to there
    reason = f"The byte 0x{content[offset]:02x} is not UTF-8. Save the file as UTF-8."
    return DefinitionError(f"{name}, {_place(before, len(before))}: {reason}")


def _place(text: str, at: int) -> str:
    return f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}"


def _refusal(text: str, name: str, error: Exception | None = None) -> DefinitionError:
    try:
        _Walk(text).to_the_end()
    except _Fault as fault:
        return DefinitionError(f"{name}, {_place(text, fault.at)}: {fault.reason}")
    # Python refused what the walk finds nothing wrong with, as it does when integers are limited further.
    return DefinitionError(f"{name}: {error or 'This is not JSON'}. Check the file with a JSON editor.")


class _Fault(Exception):
    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at, self.reason = at, reason


@dataclass(slots=True)
class _Open:
    """An object or a list that has begun: its bracket and where it is, and the keys so far."""

    mark: str
    at: int
    keys: dict[str, int] = field(default_factory=dict)


_BLANKS: Final = " \t\n\r"
_TEXT: Final = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+'
_TEXT_BEGUN: Final = re.compile(_TEXT)
_TOKEN: Final = re.compile(
    rf"""[ \t\n\r]*+(?:
        (?P<mark>[\[\]{{}},:])
      | (?P<text>{_TEXT}")
      | (?P<word>[^\s\[\]{{}},:"'/\#\x00-\x1f]++)
      | (?P<odd>.)
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE_BEGUN: Final = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*+)(?P<float>(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)")
_NUMBER_BEGUN: Final = re.compile(r"-|-?(?:0|[1-9][0-9]*+)(?:\.|(?:\.[0-9]++)?[eE][+-]?)")
_LITERALS: Final = ("true", "false", "null")
_CLOSES: Final = {"]": "[", "}": "{"}
_NAMES: Final = {"[": "list", "{": "object"}
# Words of other languages, and what JSON says instead.
_INSTEAD: Final = {
    **dict.fromkeys(("NaN", "Infinity", "-Infinity", "None", "undefined", "nan", "inf"), "null"),
    **{word.capitalize(): word for word in _LITERALS},
    **{word.upper(): word for word in _LITERALS},
}
# Quotes of word processors, and the grave accent.
_CURLY: Final = "\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019\u0060"


class _Walk:
    """Goes through a JSON text token by token, and raises _Fault at the first that is wrong.

    Only for text that was refused: it finds the place and the words, which Python's parser does not give.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.open: list[_Open] = []
        self.comma: int | None = None  # where the one just before is
        self.expect: Callable[[str, str, int], None] = self.value

    def to_the_end(self) -> None:
        """Raise _Fault if anything is wrong."""
        while match := _TOKEN.match(self.text, self.at):
            kind = match.lastgroup or "end"
            at, self.at = match.start(kind), match.end()
            if kind == "odd":
                raise _odd(self.text, at)
            if kind == "end":
                self._check_end()
                return
            self.expect(kind, match[kind], at)

    def value(self, kind: str, found: str, at: int) -> None:
        """Take a value, or the end of a list that has none."""
        if found in _NAMES:
            self._begin(found, at)
        elif kind == "mark":
            self._no_value(found, at)
        else:
            if kind == "word":
                self._check_word(found, at)
            self.expect = self.more
        self.comma = None

    def key(self, kind: str, found: str, at: int) -> None:
        """Take the key of a member, or the end of an object that has none."""
        if kind == "text":
            self._take_key(found, at)
        elif found == "}":
            self._end(found, at)
        elif kind == "word":
            raise _Fault(at, _left_out(found) or f"Keys stand in double quotes. Write {_quoted(found)}.")
        else:
            raise _Fault(at, f"A key in double quotes belongs here. Write one, or take {found} out.")
        self.comma = None

    def colon(self, kind: str, found: str, at: int) -> None:
        """Take the colon between key and value."""
        if found != ":":
            key = show(next(reversed(self.open[-1].keys)))
            raise _Fault(at, f"A colon belongs between the key {key} and its value. Write {key}: and the value.")
        self.expect = self.value

    def more(self, kind: str, found: str, at: int) -> None:
        """Take what may follow a value: a comma, a closing bracket or, at the very end, nothing."""
        if not self.open:
            self._after_all(found, at)
        elif found in _CLOSES:
            self._end(found, at)
        elif found == ",":
            self.comma, self.expect = at, self.value if self.open[-1].mark == "[" else self.key
        elif found == ":":
            raise _Fault(at, "A colon belongs between a key and its value only. Take it out, or write {} around both.")
        else:
            raise _Fault(at, _left_out(found) or "A comma is missing before this. Put one between two values.")

    def _begin(self, mark: str, at: int) -> None:
        if len(self.open) == MAX_DEPTH:
            raise _Fault(at, f"More than {MAX_DEPTH} lists and objects stand inside each other here. Nest less.")
        if len(self.open) == 1 and (end := _end_of_good(self.text, at)):
            self.at, self.expect = end, self.more
        else:
            self.open.append(_Open(mark, at))
            self.expect = self.value if mark == "[" else self.key

    def _end(self, mark: str, at: int) -> None:
        last = self.open[-1]
        if last.mark != _CLOSES[mark]:
            begun = f"the {_NAMES[last.mark]} that begins at {_place(self.text, last.at)}"
            raise _Fault(at, f"{mark} does not close {begun}. Put {_closing(last)} before it, or instead.")
        if self.comma is not None:
            raise _Fault(self.comma, f"There is a comma, but nothing follows before {mark}. Take the comma out.")
        self.open.pop()
        self.expect = self.more

    def _no_value(self, mark: str, at: int) -> None:
        inside = self.open[-1].mark if self.open else ""
        if mark == "]" and inside == "[":
            self._end(mark, at)
        else:
            raise _Fault(at, f"A value is missing before {mark}: write one, null if there is none.")

    def _take_key(self, found: str, at: int) -> None:
        key, keys = json.loads(found), self.open[-1].keys
        if key in keys:
            first = _place(self.text, keys[key])
            raise _Fault(at, f"The key {show(key)} stands at {first} already, and one would be lost. Take one out.")
        keys[key] = at
        self.expect = self.colon

    def _check_word(self, word: str, at: int) -> None:
        if match := _NUMBER.fullmatch(word):
            _check_number(word, at, whole=not match["float"])
        elif word not in _LITERALS:
            begun = any(literal.startswith(word) for literal in _LITERALS) or _NUMBER_BEGUN.fullmatch(word)
            if begun and at + len(word) == len(self.text):
                raise _Fault(at, f"The file ends in the middle of a value, {word}. It was cut off; get it again.")
            raise _Fault(at, _left_out(word) or _no_word(word))

    def _after_all(self, found: str, at: int) -> None:
        if found == ":":
            raise _Fault(at, "A key and its value stand inside an object. Put { before the key and } at the end.")
        raise _Fault(at, "The document has ended, but there is more text. Keep one list or object per file.")

    def _check_end(self) -> None:
        if self.open:
            inner, last = self.open[-1], len(self.text.rstrip(_BLANKS)) - 1
            begun = f"the {_NAMES[inner.mark]} that begins at {_place(self.text, inner.at)}"
            raise _Fault(
                last, f"The file ends in the middle of {begun}. It was cut off, or {_closing(inner)} is missing."
            )


def _end_of_good(text: str, at: int) -> int | None:
    """Return where a list or object ends that has no fault: most entries of a file, left to the fast parser."""
    try:
        document, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    return None if _is_too_deep([document]) else end


def _closing(item: _Open) -> str:
    return "]" if item.mark == "[" else "}"


def _check_number(word: str, at: int, *, whole: bool) -> None:
    try:
        int(word) if whole else _finite(word)
    except ValueError:
        size = f"The number has {len(word):,} digits" if whole else f"The number {show(word)[1:-1]} is too large"
        raise _Fault(at, f"{size} and would not be read as it stands. Write a smaller one, or a text.") from None


def _left_out(word: str) -> str | None:
    if word.startswith(("...", "…")):
        return "The dots stand for something that was left out. Write it, or take the dots away."
    return None


def _no_word(word: str) -> str:
    if word in _INSTEAD:
        return f"JSON has no {word}. Write {_INSTEAD[word]}."
    if word[0] in _CURLY:
        return f"{word[0]} is no quote that JSON knows. Write straight double quotes around texts."
    if word[0] in "+-.0123456789":
        return f"{show(word)[1:-1]} is not how JSON writes a number. Write it like -12.5 or 1e9, or in double quotes."
    return f"{show(word)[1:-1]} is no value of JSON. Put texts into double quotes."


def _quoted(word: str) -> str:
    return show(word.strip(_CURLY))


def _odd(text: str, at: int) -> _Fault:
    """Return what is wrong with a character that begins no found."""
    mark = text[at]
    if mark == '"':
        return _bad_text(text, at)
    if mark == "'":
        return _Fault(at, 'JSON has no single quotes. Write double quotes, ", around keys and texts.')
    if mark == "#" or text.startswith(("//", "/*"), at):
        return _Fault(at, "JSON has no comments. Take the comment out.")
    shown = mark if mark.isprintable() and mark.isascii() else f"The character U+{ord(mark):04X}"
    return _Fault(at, f"{shown} has no meaning here. Take it out; between values only plain spaces may stand.")


def _bad_text(text: str, at: int) -> _Fault:
    begun = _TEXT_BEGUN.match(text, at)
    end = begun.end() if begun else at
    if end == len(text) or (text[end] == "\\" and _ESCAPE_BEGUN.fullmatch(text, end)):
        return _Fault(at, 'The file ends in the middle of this text. It was cut off, or the closing " is missing.')
    if text[end] in "\r\n":
        return _Fault(at, 'This text does not end on its line. Close it with ", or write line breaks in it as \\n.')
    if text[end] == "\\":
        shown = show(text[end : end + 2])[2:-1]
        return _Fault(end, f'{shown} is no escape that JSON knows. Write \\\\ for a backslash, or \\", \\n, \\u00e9.')
    code = f"{ord(text[end]):04x}"
    return _Fault(end, f"A text holds the control character U+{code.upper()} as it is. Write it as \\u{code}.")
