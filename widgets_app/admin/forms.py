"""What all forms of definitions have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.html import format_html

from widgets_app.admin.fields import EditedAsText, RenderFunctions, Text, show_json
from widgets_app.manifest.contract import Finding
from widgets_app.services.leftovers import drop_overridden, imported_values

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Any]
else:
    _ModelForm = forms.ModelForm

KEEPING = (Text, EditedAsText, RenderFunctions)
SHOWN_VALUE = 100  # characters of an imported value in a hint


class KeepingForm(_ModelForm):
    """A form that keeps what nobody touched to the letter, whatever its fields think of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in imported_values(self.instance):
            if field := self.fields.get(name):
                field.help_text = format_html(
                    "{} Imported as {} and kept under “other keys”; what you choose here replaces it.",
                    field.help_text,
                    show_json(value)[:SHOWN_VALUE],
                )

    def clean(self) -> dict[str, Any]:
        """Put back the stored value of every text and JSON field that was not touched."""
        super().clean()
        for name, field in self.fields.items():
            if self.instance.pk and isinstance(field, KEEPING) and name not in self.changed_data:
                self.cleaned_data[name] = self.get_initial_for_field(field, name)
                self.errors.pop(name, None)
        return self.cleaned_data

    def touched(self, *names: str) -> bool:
        """Say whether one of these fields is new or was changed: imported values are not complained about."""
        return not self.instance.pk or not set(names).isdisjoint(self.changed_data)

    def refuse(self, name: str, findings: list[Finding]) -> None:
        """Turn the first error among findings about a field into a form error, if the field was touched."""
        error = next((finding for finding in findings if finding.severity == "error"), None)
        if error and self.touched(name) and name in self.fields and name not in self.errors:
            where = f"{error.where}: " if error.where else ""
            self.add_error(name, ValidationError(f"{where}{error.message} {error.fix}"))

    def save(self, commit: bool = True) -> Any:
        """Let fields win over what was imported under the same key."""
        drop_overridden(self.instance)
        return super().save(commit)

    def _get_validation_exclusions(self) -> set[str]:
        """Leave untouched numbers out of the model's own checks: they may be imported."""
        exclude: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # unknown to the stubs
        untouched = {
            name
            for name, field in self.fields.items()
            if isinstance(field, forms.IntegerField) and not self.touched(name)
        }
        return exclude | untouched


def is_text(db_field: models.Field[Any, Any]) -> bool:
    """Say whether a model field is plain text without a closed set of values."""
    return isinstance(db_field, models.CharField | models.TextField) and not db_field.choices
