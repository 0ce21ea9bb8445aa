"""The inputs of forms, where unfold's do not fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.forms.renderers import BaseRenderer
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from widgets_app.admin.theme import FileInput, NullBooleanInput, TextareaInput

if TYPE_CHECKING:
    _Widget = forms.Widget
else:
    _Widget = object

MONOSPACE = "wb-monospace"
NOT_SET = "Not set"
ROW_INPUT = "wb-input"
YES_NO = [("unknown", NOT_SET), ("true", "Yes"), ("false", "No")]


class Textarea(TextareaInput):
    """Several lines. Django's own template, since unfold's loses a line break at the very beginning."""

    template_name = "django/forms/widgets/textarea.html"

    def __init__(self, *, rows: int = 3, monospace: bool = False) -> None:
        super().__init__({"rows": rows, "class": MONOSPACE if monospace else ""})


class YesNoInput(NullBooleanInput):
    """Yes, no, or the key is left out."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.choices = YES_NO


class PictureInput(FileInput):
    """A picture to upload."""

    def __init__(self) -> None:
        super().__init__({"accept": "image/png,image/jpeg,image/gif,image/webp,image/svg+xml"})


class FilesInput(FileInput):
    """Several files to upload."""

    allow_multiple_selected = True

    def __init__(self) -> None:
        super().__init__({"accept": ".json,.zip"})


class Quick(_Widget):
    """Written without a template: a page of many rows has thousands of inputs, and templates would take seconds."""

    def __init__(self, attrs: dict[str, Any] | None = None, **more: Any) -> None:
        super().__init__({**(attrs or {}), "class": ROW_INPUT}, **more)

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        """Write the element with its attributes escaped."""
        return self.written(self.get_context(name, value, attrs)["widget"])

    def written(self, widget: dict[str, Any]) -> SafeString:
        """Write the element from the context that a template would get."""
        given = {"type": widget["type"], "name": widget["name"], "value": widget["value"], **widget["attrs"]}
        return format_html("<input{}>", flatatt(given))


class RowInput(Quick, forms.TextInput):
    """One line in a row."""


class RowNumber(Quick, forms.NumberInput):
    """A number in a row."""


class QuickSelect(Quick):
    """A select, without a template."""

    def written(self, widget: dict[str, Any]) -> SafeString:
        """Write the select and its options."""
        options = format_html_join("", '<option value="{}"{}>{}</option>', _options(widget["optgroups"]))
        return format_html("<select{}>{}</select>", flatatt({"name": widget["name"], **widget["attrs"]}), options)


class RowSelect(QuickSelect, forms.Select):
    """A select in a row."""


class RowYesNo(QuickSelect, forms.NullBooleanSelect):
    """Yes, no or not set, in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.choices = YES_NO


def in_row(widget: forms.Widget) -> forms.Widget:
    """Return the input for a row that does what a larger one does."""
    if isinstance(widget, forms.NullBooleanSelect):
        return RowYesNo()
    if isinstance(widget, forms.Select):
        return RowSelect(widget.attrs, choices=widget.choices)
    if isinstance(widget, forms.NumberInput):
        return RowNumber(widget.attrs)
    return RowInput(widget.attrs) if isinstance(widget, forms.TextInput) else widget


def _options(groups: Iterable[Any]) -> Iterable[tuple[str, SafeString, str]]:
    for _, options, _ in groups:
        for option in options:
            selected = SafeString(" selected" if option["selected"] else "")
            yield option["value"], selected, option["label"]
