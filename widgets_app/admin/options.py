"""Form fields made from the options of a shape or a source: one field for each, shown for the kinds it belongs to."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from django import forms
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from widgets_app.admin.fields import HIDDEN, JSONText, SecretLines, SecretText, Text, Words
from widgets_app.admin.inputs import Textarea
from widgets_app.admin.theme import NumberInput, SelectInput, SwitchInput, TextInput

# Options whose text may well have several lines.
LONG = frozenset({"text"})
HOW_TO_KEEP = (
    "One “Name: value” per line. Stored values are never shown: leave the dots to keep one, write over them to replace "
    "it, take the line away to remove it."
)
HOW_TO_KEEP_ONE = (
    "A stored value is never shown: leave the dots to keep it, write over them to replace it, empty it to remove it."
)


@dataclass(frozen=True)
class Options:
    """The options of one class; they show when the field that decides holds one of `kinds`."""

    prefix: str
    kinds: tuple[str, ...]
    model: type[BaseModel]

    @property
    def names(self) -> dict[str, str]:
        """Map each option to the name of its form field, which is a name in JavaScript too."""
        kind = (self.kinds[0] or "any").replace("-", "_")
        return {option: f"{self.prefix}__{kind}__{option}" for option in self.model.model_fields}

    def fields(self) -> dict[str, forms.Field]:
        """Return a form field for each option."""
        return {name: _field(option, self.model.model_fields[option]) for option, name in self.names.items()}

    def initial(self, stored: object, secrets: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what the form fields hold for stored options; of secret ones, only the names get into a page."""
        known = dict(stored) if isinstance(stored, Mapping) else {}
        for option in _secret(self.model) & (secrets or {}).keys():
            known[option] = _hidden((secrets or {})[option])
        defaults = self.model.model_fields
        return {
            name: known.get(option, defaults[option].get_default(call_default_factory=True))
            for option, name in self.names.items()
        }

    def read(self, form: forms.BaseForm) -> dict[str, Any] | None:
        """Return the options of a form that differ from their defaults; what is wrong becomes form errors."""
        return plain(self.validated(form))

    def validated(self, form: forms.BaseForm) -> BaseModel | None:
        """Return all options of a form, None where that is not possible; what is wrong becomes form errors."""
        given = {option: self._given(form, option, name) for option, name in self.names.items()}
        try:
            return self.model.model_validate({option: value for option, value in given.items() if value is not None})
        except ValidationError as error:
            for fault in error.errors():
                name = self.names.get(str(fault["loc"][0])) if fault["loc"] else None
                text = fault["msg"].removeprefix("Value error, ")
                form.add_error(name, text[:1].upper() + text[1:])
            return None

    def _given(self, form: forms.BaseForm, option: str, name: str) -> Any:
        value = form.cleaned_data.get(name)
        if value is None or option not in _secret(self.model):
            return value
        stored = form.initial.get(name) or {}
        if isinstance(value, str):
            return (stored or "") if value == HIDDEN else value
        if lost := [each for each, secret in value.items() if secret == HIDDEN and each not in stored]:
            form.add_error(name, f"Enter the value of {', '.join(lost)}: none is stored under this name.")
            return None
        return {each: stored[each] if secret == HIDDEN else secret for each, secret in value.items()}

    def conditions(self, decider: str, default: str = "") -> dict[str, str]:
        """Return for each form field the JavaScript that says whether it shows.

        An option may depend on others of its class: `json_schema_extra={"shown_for": {"kind": ["pie"]}}`.
        """
        shown = _one_of(decider, default, self.kinds)
        return {name: " && ".join((f"({shown})", *self._depends(option))) for option, name in self.names.items()}

    def _depends(self, option: str) -> list[str]:
        extra = self.model.model_fields[option].json_schema_extra
        wanted: Any = extra.get("shown_for", {}) if isinstance(extra, dict) else {}
        defaults = self.model.model_fields
        return [f"({_one_of(self.names[on], defaults[on].default, kinds)})" for on, kinds in wanted.items()]


def _one_of(field: str, default: str, values: Iterable[str]) -> str:
    return " || ".join(f"({field} || '{default}') == '{value}'" for value in values)


def plain(options: BaseModel | None) -> dict[str, Any] | None:
    """Return the options that differ from their defaults as they are stored, without the secret ones."""
    if options is None:
        return None
    return options.model_dump(mode="json", exclude_defaults=True, exclude=set(_secret(type(options)))) or None


def secrets(options: BaseModel | None) -> dict[str, Any]:
    """Return the secret options that there are, in clear."""
    given = {option: getattr(options, option) for option in (_secret(type(options)) if options else ())}
    return {option: _in_clear(value) for option, value in given.items() if value}


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: SecretStr(secret) for name, secret in value.items()}
    return SecretStr(value)


def _in_clear(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: secret.get_secret_value() for name, secret in value.items()}
    return value.get_secret_value()


def _secret(model: type[BaseModel]) -> frozenset[str]:
    found: frozenset[str] = getattr(model, "secret", frozenset())
    return found


def with_options(form: type[Any], groups: Iterable[Options]) -> type[Any]:
    """Return a form class that has the fields of all groups too."""
    return with_fields(form, {name: field for group in groups for name, field in group.fields().items()})


def with_fields(form: type[Any], fields: Mapping[str, forms.Field]) -> type[Any]:
    """Return a form class that has these fields too."""
    return types.new_class(
        form.__name__, (form,), exec_body=lambda body: body.update(fields, __module__=form.__module__)
    )


def _field(option: str, info: FieldInfo) -> forms.Field:
    common: dict[str, Any] = {
        "label": info.title or option.replace("_", " ").capitalize(),
        "help_text": info.description or "",
        "required": False,
    }
    annotation = info.annotation
    if get_origin(annotation) is Literal:
        choices = [(word, str(word).replace("_", " ").capitalize()) for word in get_args(annotation)]
        return forms.ChoiceField(choices=choices, widget=SelectInput(), **common)
    if annotation is bool:
        return forms.BooleanField(widget=SwitchInput(), **common)
    if annotation is int:
        return forms.IntegerField(widget=NumberInput(), **common)
    if annotation is float:
        return forms.FloatField(widget=NumberInput(), **common)
    if annotation == dict[str, SecretStr]:
        common["help_text"] = f"{common['help_text']} {HOW_TO_KEEP}".strip()
        return SecretLines(**common)
    if annotation is SecretStr:
        common["help_text"] = f"{common['help_text']} {HOW_TO_KEEP_ONE}".strip()
        return SecretText(**common)
    if annotation == dict[str, Any]:
        return JSONText(kind=dict, empty=dict, **common)
    if annotation == list[str]:
        return Words(empty=list, **common)
    if annotation is str:
        widget = Textarea(rows=6) if option in LONG else TextInput()
        return Text(widget=widget, strip=option not in LONG, empty_value="", **common)
    raise TypeError(f"The option {option!r} has a type that the admin can't edit: {annotation}.")
