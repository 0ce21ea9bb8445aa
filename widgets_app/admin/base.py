"""What all pages of the admin have in common: which form field edits which model field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib.admin.utils import unquote
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from widgets_app.admin import fields
from widgets_app.admin.forms import KeepingForm, is_text
from widgets_app.admin.inputs import NOT_SET, Textarea, YesNoInput, in_row
from widgets_app.admin.theme import ModelAdmin, TabularInline, TextInput
from widgets_app.models.fields import JSONTextField

if TYPE_CHECKING:
    from django.contrib.admin.options import BaseModelAdmin

    _Base = BaseModelAdmin[Any]
else:
    _Base = object

FieldMaker = Callable[..., forms.Field]


def strings(**more: Any) -> FieldMaker:
    """Return the maker of a field for a list of texts."""
    return lambda **kwargs: fields.Words(**more, **kwargs)


def json_of(kind: type) -> FieldMaker:
    """Return the maker of a field for JSON of one kind."""
    return lambda **kwargs: fields.JSONText(kind=kind, **kwargs)


def in_one_line(kind: type) -> FieldMaker:
    """Return the maker of a field for JSON of one kind, short enough for a row."""
    return lambda **kwargs: fields.JSONLine(kind=kind, **kwargs)


class FormFields(_Base):
    """Gives every model field the form field that suits it."""

    form: Any = KeepingForm
    # Model field -> form field, where JSON is not an object; text field -> number of lines.
    json_fields: ClassVar[Mapping[str, FieldMaker]] = {}
    lines: ClassVar[Mapping[str, int]] = {}
    monospace: ClassVar[frozenset[str]] = frozenset()
    unstripped: ClassVar[frozenset[str]] = frozenset()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choose fields for JSON and for text; leave the rest to unfold."""
        if isinstance(db_field, JSONTextField):
            maker = self.json_fields.get(db_field.name, json_of(dict))
            # A hidden copy of a default would be one more input for nothing.
            return db_field.formfield(form_class=maker, show_hidden_initial=False)
        if is_text(db_field) and not isinstance(db_field, models.SlugField):
            return self._text(db_field)
        if isinstance(db_field, models.BooleanField) and db_field.null:
            return db_field.formfield(widget=YesNoInput())
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Say what an empty choice means: the key is left out."""
        choices = db_field.get_choices(include_blank=db_field.blank, blank_choice=[("", NOT_SET)])
        return super().formfield_for_choice_field(db_field, request, **{"choices": choices, **kwargs})

    def _text(self, db_field: models.Field[Any, Any]) -> Any:
        lines = self.lines.get(db_field.name, 1)
        widget = Textarea(rows=lines, monospace=db_field.name in self.monospace) if lines > 1 else TextInput()
        return db_field.formfield(
            form_class=fields.Text,
            widget=widget,
            empty_value=None if db_field.null else "",
            strip=db_field.name not in self.unstripped,
        )


class BackendAdmin(FormFields, ModelAdmin):
    """A page of this project's admin."""

    # Django's own pages for a whole app are not linked anywhere.
    list_per_page = 100
    list_filter_sheet = True
    show_full_result_count = False
    warn_unsaved_form = True

    def row_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """Return the row of a page about one object."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404("There is nothing here. Perhaps it was deleted.")
        return row

    def page(self, request: HttpRequest, template: str, row: Any, **context: Any) -> HttpResponse:
        """Return a page about one object in the frame of the admin."""
        request.current_app = self.admin_site.name
        common = {**self.admin_site.each_context(request), "opts": self.opts, "original": row, "media": self.media}
        return TemplateResponse(request, template, {**common, **context})

    def ask(self, request: HttpRequest, row: Any, **context: Any) -> HttpResponse:
        """Return a page that asks before something is done; its button posts to the same address."""
        return self.page(request, "admin/widgets_app/ask.html", row, back=change_url(row), **context)


class RowsInline(FormFields, TabularInline):
    """Rows of a definition inside its page."""

    template = "admin/widgets_app/rows.html"
    extra = 0
    tab = True

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choose inputs that many rows can afford."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.widget = in_row(field.widget)
        return field


def change_url(row: models.Model) -> str:
    """Return the address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
