"""Form fields for single members of a JSON object; what has no field of its own stays in the object as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from widgets_app.admin.fields import Scalar, Text, Words
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.inputs import NOT_SET, Textarea, YesNoInput
from widgets_app.admin.theme import SelectInput, TextInput
from widgets_app.manifest.contract import Finding

Path = tuple[str, ...]
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Members:
    """The form fields for members of the object that the field `holder` edits as JSON, each with its path."""

    holder: str
    paths: Mapping[str, Path]

    def show(self, form: KeepingForm, stored: object) -> None:
        """Fill in what the fields can hold; a choice that is not known becomes one."""
        for name, path in self.paths.items():
            field, value = form.fields.get(name), member(stored, path)
            if field is not None:
                offer(field, value)
                form.initial[name] = value if holds(field, value) else None

    def write(self, form: KeepingForm) -> None:
        """Put what was changed into the object; it wins over what was written as JSON."""
        changed = [name for name in self.paths if name in form.changed_data and name not in form.errors]
        if not changed or self.holder in form.errors:
            return
        written = deepcopy(form.cleaned_data.get(self.holder))
        written = written if isinstance(written, dict) else {}
        for name in changed:
            put(written, self.paths[name], form.cleaned_data.get(name))
        form.cleaned_data[self.holder] = written or None
        if self.holder not in form.changed_data:
            form.changed_data.append(self.holder)

    def refuse(self, form: KeepingForm, findings: Iterable[Finding], known: Collection[Finding]) -> None:
        """Turn errors into errors at the fields, or at the JSON; those `known` were stored, perhaps imported."""
        for finding in findings:
            if finding in known:
                continue
            name = self._field(finding.where)
            name = name if name in form.fields else self.holder
            if finding.severity == "error" and name in form.fields and name not in form.errors:
                where = f"{finding.where}: " if finding.where else ""
                form.add_error(name, ValidationError(f"{where}{finding.message} {finding.fix}"))

    def _field(self, where: str) -> str:
        """Return the field of a place, or the first of those inside it."""
        dotted = {name: ".".join(path) for name, path in self.paths.items()}
        around = [(len(path), name) for name, path in dotted.items() if _starts(where, path)]
        inside = [name for name, path in dotted.items() if where and _starts(path, where)]
        return max(around)[1] if around else next(iter(inside), self.holder)


def _starts(where: str, path: str) -> bool:
    return where == path or where.startswith((f"{path}.", f"{path}["))


def member(value: object, path: Path) -> Any:
    """Return what an object has at a path, None where it has nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def put(document: dict[str, Any], path: Path, value: Any) -> None:
    """Set a member of an object; None takes it out, with the objects around it that are left empty."""
    key, *rest = path
    if rest:
        inner = document.get(key)
        inner = inner if isinstance(inner, dict) else {}
        put(inner, tuple(rest), value)
        value = inner or None
    if value is None:
        document.pop(key, None)
    else:
        document[key] = value


def offer(field: forms.Field, value: object) -> None:
    """Add an imported choice to those that a field knows."""
    if isinstance(field, forms.ChoiceField) and isinstance(value, str) and value:
        choices: list[Any] = list(field.choices)  # type: ignore[arg-type]  # of pairs
        if value not in {each for each, _ in choices}:
            field.choices = [*choices, (value, f"Imported: {value}")]


def holds(field: forms.Field, value: object) -> bool:
    """Say whether a field can show a value, and send it back."""
    if isinstance(field, forms.NullBooleanField):
        return isinstance(value, bool)
    return isinstance(value, str) if isinstance(field, forms.ChoiceField | Text) else value is not None


def choice(label: str, pairs: Pairs, help_text: str = "") -> forms.Field:
    """Return a field for one of several words."""
    choices = [("", NOT_SET), *pairs]
    return Chosen(label=label, choices=choices, required=False, help_text=help_text, widget=SelectInput())


class Chosen(forms.ChoiceField):
    """One of several words, or None."""

    def clean(self, value: Any) -> Any:
        """Return None where nothing is chosen."""
        return super().clean(value) or None


def text(label: str, help_text: str = "", *, suggest: str = "", lines: int = 1) -> forms.Field:
    """Return a field for a text; `suggest` names a list of suggestions on the page."""
    widget: Any = Textarea(rows=lines) if lines > 1 else TextInput({"list": suggest} if suggest else {})
    return Text(label=label, required=False, help_text=help_text, widget=widget, empty_value=None)


def number(label: str, help_text: str = "") -> forms.Field:
    """Return a field for a number; what is none is refused by the check of the whole."""
    return Scalar(label=label, required=False, help_text=help_text)


def words(label: str, help_text: str = "") -> forms.Field:
    """Return a field for a list of texts."""
    return Words(label=label, required=False, help_text=help_text)


def yes_no(label: str, help_text: str = "") -> forms.Field:
    """Return a field for yes, no, or neither."""
    return forms.NullBooleanField(label=label, required=False, help_text=help_text, widget=YesNoInput())
