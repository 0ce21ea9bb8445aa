"""The page that adds to a widget what its query suggests: columns, and parameters for the placeholders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from widgets_app import serving
from widgets_app.admin.base import change_url
from widgets_app.admin.column import shows_columns
from widgets_app.admin.publishing import DefinitionAdmin
from widgets_app.admin.running import caller_of, draft_of
from widgets_app.admin.theme import action
from widgets_app.authentication import Caller
from widgets_app.compiled import PublishedQuery
from widgets_app.errors import Forbidden, RequestError
from widgets_app.functions import Argument
from widgets_app.manifest import keys
from widgets_app.manifest.widgets import definition
from widgets_app.models import Column, Feed, Parameter, Query, Widget
from widgets_app.parameters.types import flatten, specs_of
from widgets_app.parameters.validate import validate
from widgets_app.services.suggesting import (
    Arguments,
    Rows,
    columns_missing,
    parameters_add,
    parameters_missing,
    parts_add,
)
from widgets_app.sources.frame import FrameColumn

SAMPLE_ROWS: Final = 100  # rows that the suggestions look at
PARAMETER_SHOWN = ("type", "value", "description")
COLUMN_SHOWN = ("cell_data_type", "formatter_fn", "decimal_places", "chart_data_type")
NO_QUERY = "This widget has no query. Choose one on the Data tab and save, then come back."
NO_COLUMNS = "None is known yet. Give each parameter a default with which the query has rows, then come back."
ALL_THERE = "The widget has each column of the query."
BY_CALLER = "Its rows depend on who asks, so it was not run, and the kinds of numbers are guessed."
NO_ROWS = "It returned no rows with the defaults of the parameters, so the kinds of numbers are guessed."


@dataclass(frozen=True, slots=True)
class Suggested:
    """What a query suggests for a widget; `note` says what could not be looked at."""

    parameters: Sequence[Parameter] = ()
    columns: Sequence[Column] | None = None  # None: the widget is no table
    note: str = ""
    no_columns: str = ALL_THERE


class FillFromQuery(DefinitionAdmin):
    """Adds the page that fills in columns and parameters."""

    @action(description="Fill in", url_path="fill", permissions=["change"], icon="playlist_add")
    def fill(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what the saved query suggests, and add what is asked for to the draft."""
        row = self.row_or_404(request, object_id)
        context: dict[str, Any] = {"title": f"Fill in {row} from its query", "back": change_url(row)}
        query = _query_of(row)
        draft = draft_of(query) if query else None
        problem = NO_QUERY if draft is None else draft.fault
        if draft is None or problem:
            return self.page(request, "admin/widgets_app/fill.html", row, **context, problem=problem)
        suggested = _suggested(row, draft, caller_of("", request))
        if request.method == "POST":
            return _add(request, row, suggested, draft.ready().arguments)
        return self.page(
            request, "admin/widgets_app/fill.html", row, **context, query=query, suggested=suggested,
            parameters=_parameters_described(suggested.parameters, draft.ready().arguments),
            columns=None if suggested.columns is None else _described(suggested.columns, *COLUMN_SHOWN),
        )  # fmt: skip


def _query_of(row: Widget) -> Query | None:
    feed = row.feeds.filter(role=Feed.Role.ROWS).select_related("query__source").first()
    return feed.query if feed else None


def _suggested(row: Widget, draft: PublishedQuery, caller: Caller) -> Suggested:
    prepared = draft.ready()
    parameters = parameters_missing(row, prepared.parameter_names, prepared.columns(), prepared.arguments)
    if not shows_columns(row):
        return Suggested(parameters)
    columns, rows, note = _sample(row, parameters, draft, caller)
    return Suggested(parameters, columns_missing(row, columns, rows), note, ALL_THERE if columns else NO_COLUMNS)


def _sample(
    row: Widget, suggested: Sequence[Parameter], draft: PublishedQuery, caller: Caller
) -> tuple[Sequence[FrameColumn], Rows, str]:
    """Return the columns of a query and a few rows, as they are with the defaults of all parameters."""
    small = replace(draft, limits=replace(draft.limits, rows=min(SAMPLE_ROWS, draft.limits.rows)))
    params = [*flatten(definition(row).get("params")), *(keys.PARAMETER.write(each, None) for each in suggested)]
    try:
        values = validate(specs_of(params), {}, now=timezone.localtime())
        frame = serving.fetch(serving.reading(small, values, caller, 0))
    except RequestError as error:
        by_caller = isinstance(error, Forbidden) and bool(draft.ready().key_names)
        return draft.ready().columns(), [], BY_CALLER if by_caller else str(error)
    note = NO_ROWS if frame.columns and not frame.row_count else ""
    return frame.columns, frame.rows(), note


def _add(request: HttpRequest, row: Widget, suggested: Suggested, arguments: Arguments) -> HttpResponse:
    wants_columns = "_columns" in request.POST
    chosen = (suggested.columns or ()) if wants_columns else suggested.parameters
    what = "columns" if wants_columns else "parameters"
    if wants_columns:
        parts_add(suggested.columns or ())
    else:
        parameters_add(suggested.parameters, arguments)
    names = ", ".join(_names(chosen))
    text = f"Added to the draft: the {what} {names}." if names else f"There were no {what} to add."
    messages.success(request, f"{text} Look them over, then publish.")
    return HttpResponseRedirect(change_url(row))


def _names(parts: Sequence[Column] | Sequence[Parameter]) -> list[str]:
    return [str(part.field if isinstance(part, Column) else part.param_name) for part in parts]


def _described(parts: Sequence[Any], *fields: str) -> list[tuple[str, list[str]]]:
    """Return the name of each part and its fields in words."""
    return [(name, [_shown(part, field) for field in fields]) for name, part in zip(_names(parts), parts, strict=True)]


def _parameters_described(parameters: Sequence[Parameter], arguments: Arguments) -> list[tuple[str, list[str]]]:
    described = _described(parameters, *PARAMETER_SHOWN)
    return [(name, [*cells, _values(arguments.get(name, Argument()))]) for name, cells in described]


def _values(argument: Argument) -> str:
    """Return in words what a function takes for an argument, where it says more than a type."""
    return ", ".join([*map(str, argument.choices), *(["several"] if argument.many else [])])


def _shown(part: Any, field: str) -> str:
    value = getattr(part, field)
    in_words = getattr(part, f"get_{field}_display", None)
    return "" if value is None else str(in_words() if in_words else value)
