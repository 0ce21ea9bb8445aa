"""The rows of a collection: a list with its columns, and a form with an input for each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from widgets_app import collecting
from widgets_app.admin.base import BackendAdmin, change_url
from widgets_app.admin.fields import EditedAsText
from widgets_app.admin.inputs import Textarea
from widgets_app.admin.navigation import may_view
from widgets_app.admin.options import with_fields
from widgets_app.admin.site import site
from widgets_app.admin.theme import ChangeList, NumberInput, SwitchInput, TextInput, display
from widgets_app.errors import BadRequest, Busy, DefinitionError
from widgets_app.models import CollectionRow, Source
from widgets_app.parameters.types import as_text, shown
from widgets_app.services import findings
from widgets_app.sources.collection import CollectionBackend, CollectionOptions

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[CollectionRow]
else:
    _ModelForm = forms.ModelForm

CELL_SHOWN = 100  # characters of a text in the list
FILTERS = "_changelist_filters"

INPUTS: Mapping[str, Callable[[], Any]] = {
    "text": lambda: Textarea(rows=1),
    "number": lambda: NumberInput({"step": "any"}),
    "date": lambda: TextInput({"type": "date"}),
    "datetime": lambda: TextInput({"type": "datetime-local", "step": "1"}),
}


class Opened(NamedTuple):
    """A collection whose rows are looked at."""

    source: Source
    options: CollectionOptions


def opened(source: Source) -> Opened:
    """Return a source as a collection. Raises DefinitionError when it is none, or can't be opened."""
    backend = findings.backend_of(source)
    if not isinstance(backend, CollectionBackend):
        raise DefinitionError(f"“{source}” keeps no rows. Choose a source of the kind {CollectionBackend.label}.")
    return Opened(source, backend.columns)


def rows_url(source: Source) -> str:
    """Return the address of the list of a collection's rows."""
    return f"{reverse('admin:widgets_app_collectionrow_changelist')}?{urlencode({'source': source.pk})}"


def add_url(source: Source) -> str:
    """Return the address of the page that adds a row."""
    return f"{reverse('admin:widgets_app_collectionrow_add')}?{urlencode({'source': source.pk})}"


class Cell(EditedAsText):
    """The value of one column, read by the rules of collections."""

    def __init__(self, column: str, kind: str, **kwargs: Any) -> None:
        super().__init__(label=column, required=False, widget=INPUTS[kind](), **kwargs)
        self.column, self.kind = column, kind

    def show(self, value: Any) -> str:
        """Return what the input of a browser takes: it has milliseconds at most."""
        if self.kind != "datetime":
            return as_text(value)
        moment = datetime.fromisoformat(value)
        return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")

    def to_python(self, value: Any) -> Any:
        """Keep the blanks around a text."""
        text = (value or "").replace("\r\n", "\n")
        return self.parse(text) if text.strip() else None

    def parse(self, text: str) -> Any:
        """Read a value as one that came from a form."""
        try:
            return collecting.kept(self.column, self.kind, text)
        except BadRequest as error:
            raise ValidationError(str(error)) from None


def cell(column: str, kind: str, help_text: str) -> forms.Field:
    """Return the form field of a column."""
    if kind == "boolean":
        return forms.BooleanField(label=column, required=False, widget=SwitchInput(), help_text=help_text)
    return Cell(column, kind, help_text=help_text)


def suited(kind: str, value: Any) -> Any:
    """Return what an input shows of a stored value, None for one that doesn't suit the type of its column."""
    if kind == "text":
        return None if value is None else as_text(value)
    try:
        found = collecting.kept("", kind, value)
    except BadRequest:
        return None
    if kind != "datetime" or found is None:
        return found
    moment = datetime.fromisoformat(found)
    # As queries see it: in UTC, without an offset.
    moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat()


class RowForm(_ModelForm):
    """The inputs of a row. What nobody touched stays as it is stored."""

    collection: Opened
    by: str

    class Meta:
        model = CollectionRow
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (column, kind) in self._columns().items():
            stored = (self.instance.data or {}).get(column)
            self.initial[name] = suited(kind, stored)
            if stored is not None and self.initial[name] is None:
                self.fields[name].help_text = (
                    f"The row has “{shown(stored)}” here, which is no {kind}: queries find nothing. It is kept until "
                    "you enter something else."
                )

    def _columns(self) -> dict[str, tuple[str, str]]:
        return {field_name(column): (column, kind) for column, kind in self.collection.options.types.items()}

    def _post_clean(self) -> None:
        """Store the row, once nothing else stands against it: only then it is known what the others have."""
        if self.errors:
            return
        source, options = self.collection
        try:
            with collecting.held(source.name, options) as collection:
                if self.instance.pk:
                    self.instance = collection.row(self.instance.pk)
                    collection.change(self.instance, self._given(self.changed_data))
                else:
                    self.instance = collection.add(self._given(self._columns()), self.by)
        except (BadRequest, Busy) as error:
            self.add_error(None, ValidationError(str(error)))

    def _given(self, names: Any) -> dict[str, Any]:
        """Return the values of columns by their names; a page that was opened before a column came has none for it."""
        columns = self._columns()
        return {
            columns[name][0]: self.cleaned_data[name]
            for name in names
            if not self.fields[name].widget.value_omitted_from_data(self.data, self.files, self.add_prefix(name))
        }


def field_name(column: str) -> str:
    """Return the name of a column's form field, which must not be one of the form itself."""
    return f"column__{column}"


def form_for(collection: Opened, by: str) -> type[RowForm]:
    """Return the form of the rows of a collection; `by` is who enters them."""
    key = collection.options.key
    fields = {
        field_name(column): cell(column, kind, f"{kind}, part of the key" if column in key else kind)
        for column, kind in collection.options.types.items()
    }
    form: type[RowForm] = with_fields(RowForm, fields)
    form.collection, form.by = collection, by
    return form


def column_of(column: str, kind: str) -> Callable[[CollectionRow], Any]:
    """Return what shows a column of the collection in lists, and to those who may only look."""

    def value(row: CollectionRow) -> Any:
        stored = row.data.get(column)
        if kind == "boolean":
            return suited(kind, stored)
        text = as_text(stored)
        text = text.replace("T", " ") if kind == "datetime" else text
        return (text if len(text) <= CELL_SHOWN else f"{text[:CELL_SHOWN]}…") or None

    value.__name__ = field_name(column)
    return display(description=column, boolean=kind == "boolean")(value)


# Whether a row has a text or a number with something in it, in one of its columns.
HAVING: Mapping[str, str] = {
    "sqlite": """EXISTS (SELECT 1 FROM json_each(widgets_app_collectionrow.data) AS cell
        WHERE cell.key IN (SELECT value FROM json_each(%s)) AND cell.type IN ('text', 'integer', 'real')
        AND cell.value LIKE %s ESCAPE '!')""",
    "postgresql": """EXISTS (SELECT 1 FROM json_each(widgets_app_collectionrow.data::json) AS cell(name, value)
        WHERE cell.name IN (SELECT json_array_elements_text(%s::json))
        AND json_typeof(cell.value) IN ('string', 'number') AND (cell.value #>> '{}') ILIKE %s ESCAPE '!')""",
}


def having(rows: QuerySet[CollectionRow], part: str, columns: list[str]) -> QuerySet[CollectionRow]:
    """Return the rows that have `part` in a value of these columns, whatever its case; all of them without one."""
    if not (part := part.strip()):
        return rows
    pattern = "".join(f"!{char}" if char in "!%_" else char for char in part)
    values = (json.dumps(columns), f"%{pattern}%")
    return rows.filter(RawSQL(HAVING[connection.vendor], values, output_field=BooleanField()))  # noqa: S611  bound


class RowList(ChangeList):
    """The list of one collection: all there is to show, so that nothing offers the rows of every collection."""

    def get_results(self, request: HttpRequest) -> None:
        """Count the rows that are found only."""
        super().get_results(request)
        self.full_result_count = self.result_count


@admin.register(CollectionRow, site=site)
class CollectionRowAdmin(BackendAdmin):
    """The pages of the rows of a collection, which the address of the list names."""

    change_list_template = "admin/widgets_app/collection_rows.html"
    ordering = ("-pk",)
    search_fields = ("data",)
    search_help_text = "Find a part of any value"
    about = ("created_by", "created_at", "updated_at")

    @display(description="row", ordering="pk")
    def number(self, obj: CollectionRow) -> int:
        """Return what queries know as row_id."""
        return obj.pk

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Stay out of lists of models: rows are found through their collection."""
        return {}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """List the rows of one collection; without one, go where they are found."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if away := self._enter(request, _named(request)):
            return away
        collection = _entered(request)
        context = {
            "title": f"Rows of {collection.source}",
            "collection": collection,
            "all_rows": self._list(request),
            "add_row": add_url(collection.source),
        }
        if may_view(request, "widgets_app.source"):
            context["source_url"] = change_url(collection.source)
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Add a row to a collection, or change one."""
        source = _named(request) if object_id is None else self._source_of(request, object_id)
        if (object_id is None or source) and (away := self._enter(request, source)):
            return away
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Delete a row."""
        source = self._source_of(request, object_id)
        if source and (away := self._enter(request, source)):
            return away
        return super().delete_view(request, object_id, extra_context)

    def _source_of(self, request: HttpRequest, object_id: str) -> Source | None:
        row = self.get_object(request, unquote(object_id))
        return row.source if row else None

    def _enter(self, request: HttpRequest, source: Source | None) -> HttpResponse | None:
        """Open the collection that a request is about; return where to go if there is none."""
        if source is None:
            messages.info(request, "Choose a collection. Its page leads to its rows.")
            chosen = urlencode({"kind__exact": CollectionBackend.kind})
            return HttpResponseRedirect(f"{reverse('admin:widgets_app_source_changelist')}?{chosen}")
        try:
            request.collection = opened(source)  # type: ignore[attr-defined]  # read by _entered
        except DefinitionError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(change_url(source))
        return None

    def _list(self, request: HttpRequest) -> str:
        return rows_url(_entered(request).source)

    def get_preserved_filters(self, request: HttpRequest) -> str:
        """Name the collection in all links between its pages."""
        kept = dict(parse_qsl(super().get_preserved_filters(request)))
        if (collection := getattr(request, "collection", None)) is None:
            return urlencode(kept)
        source = {"source": collection.source.pk}
        return urlencode({**source, FILTERS: urlencode(source), **kept})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the list of one collection."""
        return RowList

    def get_list_display(self, request: HttpRequest) -> Any:
        """Show the columns of the collection."""
        return ("number", *_columns(request), "created_by", "updated_at")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find rows by their values, on the page of their collection only."""
        if not hasattr(request, "collection"):
            return queryset.none(), False
        return having(queryset, search_term, [*_entered(request).options.types]), False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return a form with an input for each column."""
        form = form_for(_entered(request), request.user.get_username())
        fields = [*form.base_fields] if self._may_edit(request, obj) else []
        return super().get_form(request, obj, change, **{**kwargs, "form": form, "fields": fields})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the columns, and what is known about the row."""
        columns = [*map(field_name, _entered(request).options.types)]
        sets = [(None, {"fields": columns if self._may_edit(request, obj) else _columns(request)})]
        return sets if obj is None else [*sets, ("About the row", {"fields": [*self.about]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave what is known about the row as it is."""
        return self.about

    def _may_edit(self, request: HttpRequest, obj: Any) -> bool:
        return obj is None or self.has_change_permission(request, obj)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Offer the way back to the list."""
        source = _entered(request).source
        context["part_of"] = {"url": self._list(request), "title": f"rows of {source}"}
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Do nothing: the form has stored the row."""

    def delete_model(self, request: HttpRequest, obj: CollectionRow) -> None:
        """Delete a row as forms do."""
        self.delete_queryset(request, CollectionRow.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CollectionRow]) -> None:
        """Delete rows as forms do."""
        source, options = _entered(request)
        with collecting.held(source.name, options) as collection:
            collection.delete(queryset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Show one row, count several instead of naming thousands of them; nothing else hangs on a row."""
        count, (source, options) = len(objs), _entered(request)
        told: list[Any] = [f"{count:,} of the rows of {source}"]
        if count == 1:
            values = {name: column_of(name, kind)(objs[0]) for name, kind in options.types.items()}
            told = [f"{name}: {as_text(value)}" for name, value in values.items() if value is not None]
        return told, {"rows": count}, set(), []


def _named(request: HttpRequest) -> Source | None:
    """Return the collection that an address names."""
    pk = request.GET.get("source", "")
    return Source.objects.filter(pk=pk).first() if pk.isdecimal() else None


def _entered(request: HttpRequest) -> Opened:
    collection: Opened = request.collection  # type: ignore[attr-defined]  # set by _enter
    return collection


def _columns(request: HttpRequest) -> list[Callable[[CollectionRow], Any]]:
    return [column_of(name, kind) for name, kind in _entered(request).options.types.items()]
