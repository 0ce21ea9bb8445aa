"""Parameters: a short row inside the widget's page, and a page with everything, choices and form fields included."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from widgets_app.admin.base import RowsInline, json_of, strings
from widgets_app.admin.column import MoreLink
from widgets_app.admin.fields import Scalar, Typed
from widgets_app.admin.form_action import FormActionInline, path_fill
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.inputs import RowInput
from widgets_app.admin.ordering import OrderedFormSet, OrderedInline
from widgets_app.admin.publishing import PartAdmin
from widgets_app.admin.site import site
from widgets_app.errors import DefinitionError
from widgets_app.manifest import contract
from widgets_app.models import Choice, FormAction, Parameter, Query
from widgets_app.services import findings
from widgets_app.services.publishing import Definition
from widgets_app.sources.base import KEY_PREFIX, is_key_name

QUERIES = "query-names"


class QueryName(forms.Field):
    """A query by its name. The form set reads the names once for all of its rows."""

    widget = RowInput({"list": QUERIES})

    def __init__(self, queries: Mapping[int, Query] | None = None, **kwargs: Any) -> None:
        self.queries = queries or {}
        super().__init__(required=False, **kwargs)

    def prepare_value(self, value: Any) -> str:
        """Show the name of a stored query."""
        if value is None or isinstance(value, Typed):
            return str(value or "")
        query = self.queries.get(value)
        return query.name if query else ""

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Mark what was typed."""
        return Typed(data or "")

    def to_python(self, value: Any) -> Query | None:
        """Return the query of a name."""
        name = (value or "").strip()
        found = next((query for query in self.queries.values() if query.name == name), None)
        if name and found is None:
            raise ValidationError(f"There is no query “{name}”. Choose one from the list, or make it first.")
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare names."""
        return self.prepare_value(initial) != (data or "").strip()


class ParameterRowForm(KeepingForm):
    """The short row of a parameter."""

    options_query = QueryName()

    def __init__(self, *args: Any, queries: Mapping[int, Query], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["options_query"]
        if isinstance(field, QueryName):
            field.queries = queries

    def clean(self) -> dict[str, Any]:
        """A query takes the place of a path that was imported."""
        super().clean()
        check_name(self)
        check_options_path(self)
        return self.cleaned_data


class ParameterFormSet(OrderedFormSet):
    """Rows of parameters, which share one look at the names of queries."""

    @cached_property
    def queries(self) -> dict[int, Query]:
        """Return all queries by primary key, names only."""
        return {query.pk: query for query in Query.objects.only("name")}

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        """Hand the names to every row."""
        return {**super().get_form_kwargs(index), "queries": self.queries}


class ParameterInline(MoreLink):
    """The parameters inside the page of their widget; the fields of forms are on the page of the form."""

    model = Parameter
    form = ParameterRowForm
    formset = ParameterFormSet
    fields = ("param_name", "type", "label", "value", "options_query", "more", "position")
    readonly_fields = ("more",)
    json_fields: ClassVar[Any] = {"value": Scalar}

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the fields of forms out."""
        return super().get_queryset(request).filter(parent=None)


class FormFieldInline(ParameterInline):
    """The fields of a form, on the page of the form parameter."""

    verbose_name = "field of the form"
    verbose_name_plural = "fields of the form"
    fk_name = "parent"

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return all parameters: the form set takes those whose parent is the form."""
        return super(ParameterInline, self).get_queryset(request)


class ChoiceInline(OrderedInline):
    """Fixed choices, of a parameter or of a query without a source."""

    model = Choice
    fields = ("label", "value", "description", "right_of_description", "position")
    json_fields: ClassVar[Any] = {"value": Scalar}


class ParameterForm(KeepingForm):
    """All of a parameter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := self.fields.get("options_params"):
            field.help_text = format_html("{} {}", field.help_text, followed(self.instance))

    def clean(self) -> dict[str, Any]:
        """Complain at the field about what would not work."""
        super().clean()
        check_name(self)
        check_options_path(self)
        for name in ("options_endpoint", "endpoint"):
            path = self.cleaned_data.get(name)
            if path and self.touched(name) and contract.is_reserved(path):
                self.add_error(name, "This backend uses this path itself. Choose another one.")
        return self.cleaned_data


def followed(parameter: Parameter) -> str:
    """Return what the options of a parameter can follow: placeholders of its query, parameters of its widget."""
    others = parameter.widget.parameters.filter(Q(parent=None) | Q(parent=parameter.parent_id))
    others = others.exclude(pk=parameter.pk).exclude(param_name=None).exclude(type__in=("form", "button"))
    names = others.values_list("param_name", flat=True)
    query = parameter.options_query
    try:
        prepared = findings.prepare(query.source, query.text) if query else None
    except DefinitionError:
        prepared = None  # the page of the query says why
    taken = ", ".join(f":{name}" for name in prepared.parameter_names) if prepared else ""
    given = ", ".join(f"${name}" for name in names)
    sentences = [f"The query takes {taken}." if taken else "", f"There are {given} to follow." if given else ""]
    return " ".join(filter(None, sentences))


def check_name(form: KeepingForm) -> None:
    """Refuse a name that is kept for what callers hold; fields of forms and parameters of upstreams may have it."""
    name, parameter = form.cleaned_data.get("param_name") or "", form.instance
    passed = parameter.parent_id or (parameter.widget_id and parameter.widget.upstream_id)
    if form.touched("param_name") and is_key_name(name) and not passed:
        form.add_error(
            "param_name",
            f"Names that start with “{KEY_PREFIX}” stand for row values, which come from the caller's key and not from "
            "the request. Choose another name.",
        )


def check_options_path(form: KeepingForm) -> None:
    """Have a chosen query win over a path: they are two names for one thing."""
    data = form.cleaned_data
    if not data.get("options_query"):
        return
    if "options_endpoint" in form.fields and data.get("options_endpoint") and form.touched("options_endpoint"):
        form.add_error("options_endpoint", "Choose a query, or write a path, not both.")
    data["options_endpoint"] = form.instance.options_endpoint = None


def shown_for(name: str, *types: str) -> str:
    """Return the JavaScript that shows a field for some types, or where something is in it already."""
    shown = " || ".join(f"(type || 'text') == '{each}'" for each in types)
    return f"{shown} || !['', 'unknown', null].includes({name})"


TYPES_OF_FIELDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("options_query", "options_endpoint", "options_params"), ("endpoint",)),
    "popup_width": ("endpoint", "text"),
    "multi_select": ("endpoint", "text"),
    "multiple": ("text",),
    **dict.fromkeys(("minimum", "maximum", "step"), ("number",)),
    "roles": ("endpoint",),
    "language": ("text",),
    "endpoint": ("form",),
}


@admin.register(Parameter, site=site)
class ParameterAdmin(PartAdmin):
    """The page of one parameter."""

    form = ParameterForm
    owner = ("widget",)
    search_fields = ("param_name",)
    autocomplete_fields = ("options_query",)
    json_fields: ClassVar[Any] = {
        **dict.fromkeys(("value", "minimum", "maximum", "step"), Scalar),
        "roles": strings(),
        "options_params": json_of(dict),
    }
    lines: ClassVar[Any] = {"description": 2}
    conditional_fields: ClassVar[dict[str, str]] = {
        name: shown_for(name, *types) for name, types in TYPES_OF_FIELDS.items()
    }
    fieldsets = (
        (
            "Parameter",
            {"classes": ["tab"], "fields": ["param_name", "type", "label", "description", "value"]},
        ),
        (
            "Values",
            {
                "classes": ["tab"],
                "fields": [
                    "show",
                    "optional",
                    "options_query",
                    "options_endpoint",
                    "options_params",
                    "multi_select",
                    "multiple",
                    "minimum",
                    "maximum",
                    "step",
                    "popup_width",
                    "endpoint",
                ],
            },
        ),
        ("Advanced", {"classes": ["tab"], "fields": ["row", "roles", "language", "ai", "extra"]}),
    )

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Offer choices and the fields of a form where they make sense, or are there."""
        inlines: list[type[RowsInline]] = []
        kind = obj.type or "text"
        if kind in ("text", "tabs", "endpoint") or obj.choices.exists():
            inlines.append(ChoiceInline)
        if kind == "form" or obj.fields.exists():
            inlines += [FormFieldInline, FormActionInline]
        return inlines

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Put the fields of a form into the widget that the form is in."""
        if formset.model is Parameter:
            for row in formset.forms:
                row.instance.widget_id = form.instance.widget_id
        super().save_formset(request, form, formset, change)
        if formset.model is FormAction:
            path_fill(form.instance)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add the names of queries, for the fields of forms."""
        context["datalists"] = query_suggestions()
        return super().render_change_form(request, context, *args, **kwargs)

    def _around(self, obj: Any) -> Any:
        return obj.parent or obj.widget


@admin.register(Choice, site=site)
class ChoiceAdmin(PartAdmin):
    """The page of one choice, of a parameter or of a query."""

    json_fields: ClassVar[Any] = {"value": Scalar}
    lines: ClassVar[Any] = {"description": 2}
    fields = ("label", "value", "description", "right_of_description", "extra")

    def definition_of(self, obj: Any) -> Definition:
        """Return the query, or the widget of the parameter."""
        definition: Definition = obj.query or obj.parameter.widget
        return definition

    def _around(self, obj: Any) -> Any:
        return obj.query or obj.parameter


def query_suggestions() -> dict[str, list[str]]:
    """Return the names of all queries, for inputs that suggest them."""
    return {QUERIES: list(Query.objects.values_list("name", flat=True))}
