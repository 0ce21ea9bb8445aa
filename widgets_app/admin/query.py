"""Queries: their text is checked when it is saved, and what was found in it stands on their page."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html_join

from widgets_app import cache, catalog, warming
from widgets_app.admin.base import change_url
from widgets_app.admin.filters import StateFilter
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.lineage import shown
from widgets_app.admin.parameter import ChoiceInline
from widgets_app.admin.publishing import DefinitionAdmin
from widgets_app.admin.running import RunQuery
from widgets_app.admin.site import site
from widgets_app.admin.theme import action, display
from widgets_app.errors import DefinitionError
from widgets_app.manifest import contract
from widgets_app.models import Query, Widget
from widgets_app.schedules import schedule_problem
from widgets_app.services import findings, lineage, states

# What to write, by kinds of sources; the last line holds for all of them.
TEXTS = (
    (
        "Files, databases, collections",
        "one SELECT; write :name where a parameter's value goes, as in select * from prices where ticker = :ticker.",
    ),
    (
        "HTTP APIs",
        "a request such as GET /v1/prices/:ticker?from=:start, and below it where the rows are in its answer, as in "
        "rows: data.items.",
    ),
    ("Python functions", "the name of a function; its arguments are the placeholders."),
    (
        "Rows by caller",
        "desk in :key_desk takes the row values “desk” that the caller's key, its user or its groups hold, never what "
        "a request says.",
    ),
)
NO_SOURCE = "Leave empty for a fixed list of options, entered on the tab Choices."

REFRESHED = "The published query runs now, once for each widget on it, with the widget's default values."
ONE_PROCESS = "Each process of the server keeps results for itself: this is for one of them."


class QueryForm(KeepingForm):
    """All of a query."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := self.fields.get("text"):
            field.help_text = format_html_join("", "<div><strong>{}</strong>: {}</div>", TEXTS)
        if field := self.fields.get("source"):
            field.help_text = NO_SOURCE

    def clean(self) -> dict[str, Any]:
        """Check the text against the source, and what others know the query by."""
        super().clean()
        data = self.cleaned_data
        path = data["options_path"] = data.get("options_path") or f"options/{data.get('name', '')}"
        if self.touched("options_path"):
            self._check_path(path)
        for name in ("name", "options_path"):
            if self.instance.pk and self.touched(name) and (users := states.served_users(self.instance)):
                self.add_error(name, f"Published widgets ask for it by this: {', '.join(users)}. Unpublish them first.")
        if "text" in data and self.touched("text", "source"):
            try:
                findings.prepare(data.get("source"), data["text"])
            except DefinitionError as error:
                self.add_error("text", ValidationError(str(error)))
        if data.get("cron") and self.touched("cron") and (problem := schedule_problem(data["cron"])):
            self.add_error("cron", problem)
        return data

    def _check_path(self, path: str) -> None:
        if contract.is_reserved(path):
            self.add_error("options_path", "This backend uses this path itself. Choose another one.")
        elif widget := Widget.objects.filter(endpoint__in=[path, f"/{path}"]).first():
            self.add_error("options_path", f"The widget {widget} has its data at this path. Choose another one.")


@admin.register(Query, site=site)
class QueryAdmin(RunQuery, DefinitionAdmin):
    """The pages of queries."""

    form = QueryForm
    autocomplete_fields = ("source",)
    list_display = ("name", "source", "description", "used_by", "state")
    ordering = ("name",)
    list_filter = (StateFilter, "source")
    search_fields = ("name", "description", "text")
    actions_detail = ("run", "refresh", *DefinitionAdmin.actions_detail)
    lines: ClassVar[Any] = {"text": 14}
    monospace = frozenset({"text"})
    fieldsets = (
        (None, {"fields": ["name", "source", "text", "description"]}),
        ("Limits and options", {"fields": [("seconds", "rows"), ("cache_seconds", "cron"), "options_path"]}),
    )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer "Refresh" where something is served."""
        served = Query.objects.filter(pk=unquote(str(object_id)), published__isnull=False).exists()
        found = super().get_actions_detail(request, object_id)
        return [each for each in found if served or each.method.original_function_name != "refresh"]

    @action(description="Refresh", url_path="refresh", permissions=["change"], icon="refresh")
    def refresh(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then make the kept results of the published query anew."""
        row = self.row_or_404(request, object_id)
        query = catalog.current().queries.get(row.name)
        if request.method != "POST" or query is None:
            text = REFRESHED if cache.is_shared() else f"{REFRESHED} {ONE_PROCESS}"
            return self.ask(request, row, title=f"Refresh “{row}”?", text=text, button="Refresh")
        told = warming.refresh(query)
        level = messages.WARNING if told.failed or not told.made else messages.SUCCESS
        messages.add_message(request, level, str(told))
        return HttpResponseRedirect(change_url(row))

    @display(description="used by", ordering="uses")
    def used_by(self, obj: Any) -> str:
        """Count widgets and dropdowns."""
        return f"{obj.uses} and {obj.dropdowns} dropdowns" if obj.dropdowns else str(obj.uses)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Count what uses each query."""
        uses = Count("feeds", distinct=True), Count("option_parameters", distinct=True)
        return super().get_queryset(request).annotate(uses=uses[0], dropdowns=uses[1])

    def get_inlines(self, request: HttpRequest, obj: Query | None) -> Any:
        """Offer fixed choices where there is no source."""
        fixed = obj is None or obj.source is None or obj.choices.exists()
        return [ChoiceInline] if fixed else []

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show what was found in the text, and who uses the query."""
        if (obj := kwargs.get("obj")) is not None:
            context["panel"] = "admin/widgets_app/query_panel.html"
            context["found"] = _found(obj)
            context["users"] = shown(request, lineage.made_of(obj))
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Query, form: Any, change: bool) -> None:
        """Say what was found in a new text."""
        super().save_model(request, obj, form, change)
        if {"text", "source"} & set(form.changed_data) and (found := _found(obj)):
            placeholders = ", ".join(f":{name}" for name in found["placeholders"]) or "none"
            columns = ", ".join(column.name for column in found["columns"]) or "known when it has run"
            messages.info(request, f"Placeholders: {placeholders}. Columns: {columns}.")
            for text in lineage.lost_columns(obj, found["columns"]) if change else ():
                messages.warning(request, text)
        if change and {"name", "options_path"} & set(form.changed_data):
            _warn_of_dropdowns(request, obj, form.initial["options_path"])

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say in words what still needs a query; what is served needs it even when the draft does not."""
        to_delete, counts, missing, protected = super().get_deleted_objects(objs, request)
        needed = {query: lineage.made_of(query) for query in objs}
        names = {query: [node.name for node in nodes if node.kind == "widget"] for query, nodes in needed.items()}
        if any(names.values()):
            protected = lineage.first(sorted({f"widget {name}" for found in names.values() for name in found}))
        for query, nodes in needed.items():
            if names[query] and "post" not in request.POST:
                text = (
                    f"“{query}” is used by {lineage.listed(names[query])}. Without it, {lineage.in_words(nodes)} would "
                    "break. Choose another query there, publish, then delete it."
                )
                messages.warning(request, text)
        return to_delete, counts, missing, protected


def _warn_of_dropdowns(request: HttpRequest, query: Query, before: str) -> None:
    """Say which dropdowns use the options of a query that has another name or path now."""
    follow = query.option_parameters.count()
    left = lineage.dropdowns_of(query, before) if query.options_path != before else []
    if follow:
        text = f"Dropdowns that use it: {follow}. They follow when their widgets are published again."
        messages.warning(request, text)
    if left:
        text = f"Dropdowns that go on asking for {before}: {lineage.listed(left)}. Choose the query there instead."
        messages.warning(request, text)


def _found(query: Query) -> dict[str, Any]:
    try:
        prepared = findings.prepare(query.source, query.text)
    except DefinitionError:
        return {}  # the findings above say why
    if prepared is None:
        return {}
    return {"placeholders": prepared.placeholders, "columns": prepared.columns(), "tables": prepared.tables}
