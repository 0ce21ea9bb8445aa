"""Form fields that leave alone what nobody touched, and JSON values in the form in which people write them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from django import forms
from django.core.exceptions import ValidationError

from widgets_app import vocabulary
from widgets_app.admin.inputs import MONOSPACE, Textarea
from widgets_app.admin.theme import CheckboxesInput, TextInput
from widgets_app.manifest.keys import storable
from widgets_app.models.fields import dump

ODD = "json:"  # marks a choice that stands for an imported value
HIDDEN = "••••••"  # stands for a secret that is stored


class Typed(str):
    """Text as somebody typed it, to be shown again as it is."""


def same_text(shown: str, typed: str, *, one_line: bool) -> bool:
    """Say whether a browser may have sent `shown` as `typed`: it writes line breaks anew, or drops them."""
    return _plain(shown, one_line=one_line) == _plain(typed, one_line=one_line)


def _plain(text: str, *, one_line: bool) -> str:
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return plain.replace("\n", "") if one_line else plain


def one_line_input(field: forms.Field) -> bool:
    """Say whether a field is edited in one line."""
    return not isinstance(field.widget, forms.Textarea)


class Text(forms.CharField):
    """Plain text. Browsers send line breaks as `\\r\\n`; typed text is kept with `\\n`, as files have it."""

    def to_python(self, value: Any) -> Any:
        """Return the text with plain line breaks."""
        text = super().to_python(value)
        return text.replace("\r\n", "\n") if isinstance(text, str) else text

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare as browsers send it: with stripped blanks it would look changed by itself."""
        return not (self.disabled or same_text(initial or "", data or "", one_line=one_line_input(self)))


class EditedAsText(forms.Field):
    """A JSON value edited as text: `show` writes it, `parse` reads it back."""

    widget: Any = TextInput
    empty: Callable[[], Any] | None = None

    def show(self, value: Any) -> str:
        """Return the text for a value that is not None."""
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """Return the value of a text that is not empty; raises ValidationError."""
        raise NotImplementedError

    def prepare_value(self, value: Any) -> str:
        """Show a stored value; what was typed just now stays as it is."""
        if isinstance(value, Typed):
            return str(value)
        return "" if value is None else self.show(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Mark what was typed."""
        return initial if self.disabled else Typed(data or "")

    def to_python(self, value: Any) -> Any:
        """Return the value; nothing typed means that it is absent."""
        text = (value or "").strip()
        return self.parse(text) if text else self.nothing()

    def nothing(self) -> Any:
        """Return what an empty input stands for."""
        return self.empty() if self.empty else None

    def reads_as(self, text: str) -> Any:
        """Return what a text that is shown would be read as; None where it would be refused."""
        try:
            return self.to_python(text)
        except ValidationError:
            return None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare the texts, then the values with the order of their members."""
        shown = self.prepare_value(initial)
        if self.disabled or same_text(shown, data or "", one_line=one_line_input(self)):
            return False
        try:
            return dump(self.to_python(data)) != dump(initial)
        except ValidationError:
            return True


def show_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON to read. Half a surrogate pair, which no page can hold, is written as an escape."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def parse_json(text: str) -> Any:
    """Read strict JSON; raises ValidationError in one line."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        dump(value)
    except json.JSONDecodeError as error:
        raise ValidationError(f"This is no JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from None
    except (ValueError, RecursionError):
        raise ValidationError("This JSON holds a number that is too large, or is nested too deeply.") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no JSON number, use null", name, 0)


class JSONText(EditedAsText):
    """JSON as it is, indented; of one kind only if `kind` is given."""

    def __init__(self, *, kind: type | None = None, empty: Callable[[], Any] | None = None, **kwargs: Any) -> None:
        self.kind, self.empty = kind, empty
        super().__init__(**{"widget": Textarea(rows=3, monospace=True), **kwargs})

    def show(self, value: Any) -> str:
        """Return it over several lines; nothing for what an empty input stands for."""
        return "" if value == self.nothing() else show_json(value, indent=2)

    def parse(self, text: str) -> Any:
        """Read it, and refuse another kind of value."""
        value = parse_json(text)
        if self.kind is not None and value is not None and not isinstance(value, self.kind):
            wanted = 'an object such as {"key": "value"}' if self.kind is dict else 'a list such as ["a", "b"]'
            raise ValidationError(f"Write {wanted}.")
        return value


class JSONLine(JSONText):
    """JSON in one line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": TextInput({"class": MONOSPACE}), **kwargs})

    def show(self, value: Any) -> str:
        """Return it without line breaks."""
        return show_json(value)


class Scalar(EditedAsText):
    """Text, a number, true or false: JSON where the text is valid JSON, else the text itself."""

    def show(self, value: Any) -> str:
        """Return a text as it stands where that reads back as the same text, everything else as JSON."""
        raw = isinstance(value, str) and value == value.strip() != "" and not set(value) & {"\r", "\n"}
        raw = raw and storable(value, None)  # no page can hold what databases can't
        return value if raw and self.reads_as(value) == value else show_json(value)

    def parse(self, text: str) -> Any:
        """Read JSON, or take the text."""
        try:
            json.loads(text, parse_constant=_refuse_constant)
        except (json.JSONDecodeError, RecursionError):
            return text
        except ValueError:
            pass  # a number of thousands of digits: parse_json says so
        return parse_json(text)


class Words(EditedAsText):
    """A list of texts, separated by commas, or one per line. Other values are shown, and may be written, as JSON."""

    def __init__(self, *, separator: str = ",", empty: Callable[[], Any] | None = None, **kwargs: Any) -> None:
        self.separator, self.empty = separator, empty
        widget = Textarea(rows=4) if separator == "\n" else TextInput()
        super().__init__(**{"widget": widget, **kwargs})

    def show(self, value: Any) -> str:
        """Return the texts side by side where that reads back as the same list."""
        if value == [] and self.nothing() == []:
            return ""
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            joined = self._joined(value)
            if joined.strip() and storable(joined, None) and self.reads_as(joined) == value:
                return joined
        return show_json(value)

    def parse(self, text: str) -> Any:
        """Split it; JSON of texts is taken as it is."""
        if text[0] not in '["':
            return self._split(text)
        try:
            value = parse_json(text)
        except ValidationError:
            return self._split(text)
        if not all(isinstance(item, str) for item in (value if isinstance(value, list) else [value])):
            raise ValidationError('Write texts only, such as ["a", "b"].')
        return value

    def _joined(self, words: Iterable[str]) -> str:
        return ("\n" if self.separator == "\n" else ", ").join(words)

    def _split(self, text: str) -> list[str]:
        return [word for part in text.split(self.separator) if (word := part.strip())]


class SecretLines(EditedAsText):
    """Names with secret values, one `Name: value` per line. A stored value shows as dots, and stays where they stay.

    What was typed is not sent back either: its line returns without the value.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": Textarea(rows=3, monospace=True), **kwargs})

    def show(self, value: Mapping[str, Any]) -> str:
        """Return the names."""
        return "\n".join(f"{name}: {HIDDEN}" for name in value)

    def prepare_value(self, value: Any) -> str:
        """Take the values out of what was typed."""
        if not isinstance(value, Typed):
            return super().prepare_value(value)
        return "\n".join(f"{name}: {HIDDEN if secret == HIDDEN else ''}" for name, secret in _lines(value) if name)

    def nothing(self) -> dict[str, str]:
        """Return no names at all."""
        return {}

    def parse(self, text: str) -> dict[str, str]:
        """Return the values by name; dots stand for the value that is stored."""
        found: dict[str, str] = {}
        for number, (name, secret) in enumerate(_lines(text), 1):
            if not name or not secret:
                raise ValidationError(f"Line {number} lacks its {'value' if name else 'name'}. Write “Name: value”.")
            if name in found:
                raise ValidationError(f"Line {number} has the name of another line. Leave one of them.")
            found[name] = secret
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Say whether a line was added, changed or taken away."""
        return not self.disabled and self.reads_as(data or "") != dict.fromkeys(initial or {}, HIDDEN)


class SecretText(EditedAsText):
    """One secret value. A stored one shows as dots, and stays where they stay; what was typed is not sent back."""

    def __init__(self, **kwargs: Any) -> None:
        widget = TextInput({"type": "password", "autocomplete": "new-password"})
        super().__init__(**{"widget": widget, **kwargs})

    def nothing(self) -> str:
        """Return no value."""
        return ""

    def show(self, value: Any) -> str:
        """Return dots for a value that there is."""
        return HIDDEN if value else ""

    def prepare_value(self, value: Any) -> str:
        """Take the value out of what was typed."""
        if not isinstance(value, Typed):
            return super().prepare_value(value)
        return HIDDEN if value == HIDDEN else ""

    def parse(self, text: str) -> str:
        """Return the value; dots stand for the one that is stored."""
        return text

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Say whether it was entered, changed or removed."""
        return not self.disabled and (data or "").strip() != (HIDDEN if initial else "")


def _lines(text: str) -> list[tuple[str, str]]:
    """Return names and values; a line without a colon may be a secret alone, so it counts as a value."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    split = (line.partition(":") if ":" in line else ("", "", line) for line in lines)
    return [(name.strip(), secret.strip()) for name, _, secret in split]


class RenderFunctions(forms.MultipleChoiceField):
    """Render functions of a column: one is kept as a text, several as a list; odd imported values stay choices."""

    widget = CheckboxesInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"choices": vocabulary.RENDER_FNS, **kwargs})

    def offer(self, value: Any) -> None:
        """Add what a stored value has besides the known functions."""
        odd = [key for key in _keys(value) if key.startswith(ODD)]
        self.choices = [*vocabulary.RENDER_FNS, *((key, f"Imported: {key.removeprefix(ODD)}") for key in odd)]

    def prepare_value(self, value: Any) -> Any:
        """Return the keys of the ticked choices."""
        return value if isinstance(value, _Ticked) else _keys(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Mark what was ticked."""
        return _Ticked(data or [])

    def clean(self, value: Any) -> Any:
        """Return None, one function, or a list of functions."""
        chosen = [_value(key) for key in super().clean(value)]
        return None if not chosen else chosen[0] if len(chosen) == 1 else chosen

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare without order: ticks have none."""
        return set(_keys(initial)) != set(data or ())


class _Ticked(list[str]):
    pass


def _keys(value: Any) -> list[str]:
    known = vocabulary.words(vocabulary.RENDER_FNS)
    items = [] if value is None else value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) and item in known else ODD + dump(item) for item in items]


def _value(key: str) -> Any:
    return json.loads(key.removeprefix(ODD)) if key.startswith(ODD) else key
