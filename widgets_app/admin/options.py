"""Form fields made from the options of a shape or a source: one field for each, shown for the kinds it belongs to."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from django import forms
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from widgets_app.admin.fields import Text, Words
from widgets_app.admin.inputs import Textarea
from widgets_app.admin.theme import NumberInput, SelectInput, SwitchInput, TextInput

# Options whose text may well have several lines.
LONG = frozenset({"text"})


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

    def initial(self, stored: object) -> dict[str, Any]:
        """Return what the form fields show for stored options."""
        known = stored if isinstance(stored, Mapping) else {}
        defaults = self.model.model_fields
        return {
            name: known.get(option, defaults[option].get_default(call_default_factory=True))
            for option, name in self.names.items()
        }

    def read(self, form: forms.BaseForm) -> dict[str, Any] | None:
        """Return the options of a form that differ from their defaults; what is wrong becomes form errors."""
        given = {option: form.cleaned_data.get(name) for option, name in self.names.items()}
        given = {option: value for option, value in given.items() if value is not None}
        try:
            model = self.model.model_validate(given)
        except ValidationError as error:
            for fault in error.errors():
                name = self.names.get(str(fault["loc"][0])) if fault["loc"] else None
                form.add_error(name, fault["msg"].removeprefix("Value error, ").capitalize())
            return None
        return model.model_dump(mode="json", exclude_defaults=True) or None

    def conditions(self, decider: str, default: str = "") -> dict[str, str]:
        """Return for each form field the JavaScript that says whether it shows."""
        shown = " || ".join(f"({decider} || '{default}') == '{kind}'" for kind in self.kinds)
        return dict.fromkeys(self.names.values(), shown)


def with_options(form: type[Any], groups: Iterable[Options]) -> type[Any]:
    """Return a form class that has the fields of all groups too."""
    found = {name: field for group in groups for name, field in group.fields().items()}
    return types.new_class(
        form.__name__, (form,), exec_body=lambda body: body.update(found, __module__=form.__module__)
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
    if annotation == list[str]:
        return Words(empty=list, **common)
    if annotation is str:
        widget = Textarea(rows=6) if option in LONG else TextInput()
        return Text(widget=widget, strip=option not in LONG, empty_value="", **common)
    raise TypeError(f"The option {option!r} has a type that the admin can't edit: {annotation}.")
