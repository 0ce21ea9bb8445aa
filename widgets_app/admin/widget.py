"""Widgets: the list, and the form that shows what matters for the chosen type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect, RelatedFieldWidgetWrapper
from django.http import HttpRequest, HttpResponse

from widgets_app.admin import chart_view
from widgets_app.admin.base import strings
from widgets_app.admin.column import TABLES, ColumnInline, shows_columns
from widgets_app.admin.column_settings import FIELDS, fields_of
from widgets_app.admin.fields import Scalar
from widgets_app.admin.filling import FillFromQuery
from widgets_app.admin.filters import StateFilter
from widgets_app.admin.lineage import shown
from widgets_app.admin.manifest_entry import ManifestEntryAdmin
from widgets_app.admin.options import Options, with_fields, with_options
from widgets_app.admin.parameter import ParameterInline, query_suggestions
from widgets_app.admin.pictures import PictureUploads, Upload
from widgets_app.admin.publishing import DefinitionAdmin
from widgets_app.admin.running import RunWidget
from widgets_app.admin.site import site
from widgets_app.admin.theme import action, display
from widgets_app.compiled import is_own_page
from widgets_app.manifest import contract
from widgets_app.manifest.contract.schedules import check_schedule
from widgets_app.manifest.contract.widgets import TYPES_WITHOUT_ENDPOINT, WIDGET_ID
from widgets_app.models import Feed, Query, Widget
from widgets_app.services import feeds, findings, lineage, states
from widgets_app.services.publishing import widget_duplicate
from widgets_app.shapes.registry import DEFAULT_TYPE, shapes

TWO_VIEWS = ("chart", "chart-highcharts", "chart-vegalite", "html", "youtube", "iframe")
# Its endpoint is the address of a page, which nobody can guess.
PAGE = "iframe"
# What decides the answer at an endpoint, besides the options of the shape.
ANSWER_FIELDS = ("endpoint", "query", "upstream", "type", "data_key")
# Finding about a schedule -> field.
SCHEDULE_FIELDS = {
    "refetch-interval": "refetch_interval",
    "update-display": "data_update_display",
    "stale-time": "stale_time",
}

Fields = Sequence[str | tuple[str, ...]]


def shape_options() -> list[Options]:
    """Return the options of every shape that has some, with the types of widgets it is for."""
    types: dict[Any, list[str]] = {}
    for widget_type, shape in shapes().items():
        types.setdefault(shape, []).append(widget_type)
    return [
        Options("shape", tuple(kinds), shape.Options) for shape, kinds in types.items() if shape.Options.model_fields
    ]


SHAPES = shape_options()
SHAPE_FIELDS = [name for group in SHAPES for name in group.names.values()]

FIELDSETS: Mapping[str, Fields] = {
    "Basics": (
        "widget_id",
        "name",
        "description",
        "type",
        "category",
        "sub_category",
        "source",
        "img_url",
        "img_url_file",
    ),
    "Data": (
        "query",
        "upstream",
        "endpoint",
        "ws_endpoint",
        "ws_row_id_column",
        "data_key",
        "default_symbol",
        "update_frequency",
    ),
    "Look": (
        ("grid_w", "grid_h"),
        *SHAPE_FIELDS,
        "show_all",
        "enable_charts",
        "enable_advanced",
        "enable_formulas",
        "transpose",
        "table_formatter_fn",
        *chart_view.CHART_FIELDS,
        "chart_config",
        "raw",
        "exportable",
    ),
    "Refresh": ("refetch_interval", "stale_time", "run_button", "data_update_display"),
    "Who sees it": ("groups",),
    "Advanced": (
        ("grid_min_w", "grid_min_h"),
        ("grid_max_w", "grid_max_h"),
        "param_rows",
        "search_category",
        "ai",
        "mcp_server",
        "mcp_tool_id",
        "storage_mcp_url",
        "extra",
        "chart_view",
        "grid_extra",
        "data_extra",
        "table_extra",
    ),
}
TYPES_OF_FIELDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "show_all",
            "enable_charts",
            "enable_advanced",
            "enable_formulas",
            "transpose",
            "table_formatter_fn",
            "chart_view",
            "table_extra",
        ),
        TABLES,
    ),
    "raw": TWO_VIEWS,
    **dict.fromkeys(("ws_endpoint", "ws_row_id_column"), ("live_grid",)),
    **dict.fromkeys(("default_symbol", "update_frequency", "chart_config"), ("advanced_charting",)),
    "storage_mcp_url": (PAGE,),
}


def shown_for(name: str, *types: str) -> str:
    """Return the JavaScript that shows a field for some types, and wherever something is in it already."""
    shown = " || ".join(f"(type || '{DEFAULT_TYPE}') == '{each}'" for each in types)
    return f"{shown} || !['', 'unknown', null].includes({name})"


def shown_without_upstream(shown: str) -> str:
    """Return the JavaScript that shows a field only where this backend makes the answer itself."""
    return f"!upstream && ({shown})"


class BaseWidgetForm(PictureUploads):
    """The form of a widget, but for the options of its shape."""

    query = forms.ModelChoiceField(
        Query.objects.only("name"), required=False, help_text="Gives the rows that the widget shows."
    )
    img_url_file = Upload()
    picture_fields = ("img_url",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for group in SHAPES:
            self.initial.update(group.initial(self.instance.shape))
        chart_view.show(self)
        if self.instance.pk:
            feed = self.instance.feeds.filter(role=Feed.Role.ROWS).first()
            self.initial["query"] = feed.query_id if feed else None

    def clean_widget_id(self) -> str:
        """Ask for a plain id, unless it was imported."""
        widget_id: str = self.cleaned_data["widget_id"]
        if self.touched("widget_id") and not WIDGET_ID.fullmatch(widget_id):
            raise forms.ValidationError("Use letters, digits, _ and - only, for example prices_daily.")
        return widget_id

    def clean(self) -> dict[str, Any]:
        """Fill in the endpoint, and complain at the fields about what would not work."""
        super().clean()
        self._check_origin()
        self._fill_endpoint()
        self._read_shape()
        self._check_schedule()
        self._check_paths()
        chart_view.clean(self)
        if not self.errors and self.touched(*ANSWER_FIELDS, *SHAPE_FIELDS):
            self._check_answer()
        return self.cleaned_data

    def _check_origin(self) -> None:
        data = self.cleaned_data
        if self.touched("query", "upstream") and data.get("query") and data.get("upstream"):
            self.add_error("upstream", "Choose a query or an upstream, not both: the data comes from one of them.")

    def _fill_endpoint(self) -> None:
        data = self.cleaned_data
        # An upstream only knows its own paths.
        guessed = data.get("type") not in (PAGE, *TYPES_WITHOUT_ENDPOINT) and not data.get("upstream")
        if self.touched("endpoint") and not data.get("endpoint") and guessed and data.get("widget_id"):
            data["endpoint"] = data["widget_id"]

    def _read_shape(self) -> None:
        """Keep the options of the chosen type only; an upstream makes the look itself."""
        if self.touched("type", *SHAPE_FIELDS) and not self.cleaned_data.get("upstream"):
            chosen = self.cleaned_data.get("type") or DEFAULT_TYPE
            group = next((group for group in SHAPES if chosen in group.kinds), None)
            self.instance.shape = group.read(self) if group else None

    def _check_schedule(self) -> None:
        data = self.cleaned_data
        schedule = {
            "refetchInterval": data.get("refetch_interval"),
            "dataUpdateDisplay": data.get("data_update_display"),
            "staleTime": data.get("stale_time"),
        }
        for finding in check_schedule(schedule):
            if name := SCHEDULE_FIELDS.get(finding.code):
                self.refuse(name, [finding])

    def _check_paths(self) -> None:
        is_page = is_own_page(self.cleaned_data.get("type"), self.cleaned_data.get("upstream"))
        for name in ("ws_endpoint",) if is_page else ("endpoint", "ws_endpoint"):
            path = self.cleaned_data.get(name)
            if path and self.touched(name) and contract.is_reserved(path):
                self.add_error(name, "This backend uses this path itself. Choose another one.")

    def _check_answer(self) -> None:
        data = self.cleaned_data
        answer = findings.Answer(
            type=data.get("type"),
            feeds=((Feed.Role.ROWS.value, data["query"].pk),) if data.get("query") else (),
            shape=self.instance.shape,
            data_key=data.get("data_key"),
            upstream=data["upstream"].pk if data.get("upstream") else None,
        )
        if error := findings.endpoint_collision(data.get("endpoint"), answer, widget=self.instance.pk):
            self.add_error("endpoint", f"{error.message} {error.fix}")


WidgetForm = with_fields(with_options(BaseWidgetForm, SHAPES), chart_view.CHART_FIELDS)
# Members of what is stored, which who may only look sees itself.
INPUTS = frozenset({*SHAPE_FIELDS, *chart_view.CHART_FIELDS})


@admin.register(Widget, site=site)
class WidgetAdmin(FillFromQuery, RunWidget, ManifestEntryAdmin):
    """The pages of widgets."""

    form = WidgetForm
    autocomplete_fields = ("groups", "upstream")
    list_display = ("widget_id", "name", "type", "endpoint", "query", "state", "visible_to")
    list_filter = (
        StateFilter,
        "type",
        ("category", admin.AllValuesFieldListFilter),
        ("upstream", admin.RelatedOnlyFieldListFilter),
        "groups",
    )
    search_fields = ("widget_id", "name", "description", "category", "sub_category", "endpoint")
    actions = (*ManifestEntryAdmin.actions, "duplicate_selected")
    actions_detail = ("run", "fill", *DefinitionAdmin.actions_detail)
    json_fields: ClassVar[Any] = {"source": strings(), "refetch_interval": Scalar}
    lines: ClassVar[Any] = {"description": 4}
    conditional_fields: ClassVar[Mapping[str, str]] = {
        **{name: shown_for(name, *types) for name, types in TYPES_OF_FIELDS.items()},
        **chart_view.conditions(TABLES, DEFAULT_TYPE),
        **{
            name: shown_without_upstream(shown)
            for group in SHAPES
            for name, shown in group.conditions("type", DEFAULT_TYPE).items()
        },
    }

    @display(description="query")
    def query(self, obj: Widget) -> str:
        """Return the name of the query that gives the rows, or of the upstream that answers instead."""
        if obj.upstream:
            return f"→ {obj.upstream.name}"
        return next((feed.query.name for feed in obj.feeds.all()), "")

    @display(description="options of the look")
    def stored_shape(self, obj: Widget) -> str:
        """Return the options of the shape, for who may not change them."""
        return ", ".join(f"{name}: {value}" for name, value in (obj.shape or {}).items())

    def get_fieldsets(self, request: HttpRequest, obj: Widget | None = None) -> Any:
        """Return the tabs; who may only look gets the stored options instead of inputs."""
        hidden = INPUTS if obj and not self.has_change_permission(request, obj) else frozenset()
        return [
            (
                title,
                {
                    "classes": ["tab"],
                    "fields": [
                        *(name for name in names if name not in hidden),
                        *(["stored_shape"] if hidden and title == "Look" else ()),
                    ],
                },
            )
            for title, names in FIELDSETS.items()
        ]

    def get_inlines(self, request: HttpRequest, obj: Widget | None) -> Any:
        """Leave columns out for what is no table and has none."""
        return [ParameterInline, ColumnInline] if obj is None or shows_columns(obj) else [ParameterInline]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with a table of a usual size."""
        return {"type": DEFAULT_TYPE, "grid_w": 20, "grid_h": 12, **super().get_changeform_initial_data(request)}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Let queries be searched for, made and opened from the field."""
        form = super().get_form(request, obj, change, **kwargs)
        relation: Any = Feed._meta.get_field("query")
        # The class shares its fields with its parent, and what may be added is a matter of who asks.
        field = form.base_fields["query"] = copy(form.base_fields["query"])
        field.widget = RelatedFieldWidgetWrapper(
            AutocompleteSelect(relation, self.admin_site, choices=field.widget.choices),
            relation.remote_field,
            self.admin_site,
            can_add_related=self.admin_site._registry[Query].has_add_permission(request),
            can_change_related=True,
        )
        field.widget.template_name = "unfold/widgets/related_widget_wrapper.html"
        return form

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add the names of queries and columns, for rows of inputs, and say where the data comes from and goes to."""
        obj = kwargs.get("obj")
        context["datalists"] = query_suggestions() | {FIELDS: fields_of(obj) if obj else []}
        if obj is not None:
            context["panel"] = "admin/widgets_app/widget_panel.html"
            context["origin"] = shown(request, lineage.comes_from(obj))
            context["users"] = shown(request, lineage.made_of(obj))
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Widget, form: Any, change: bool) -> None:
        """Warn about apps that go on naming an id which is no more."""
        super().save_model(request, obj, form, change)
        if change and "widget_id" in form.changed_data:
            _warn_of_apps(request, form.initial["widget_id"], "no longer exists")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the query, and link places of apps that name the widget."""
        super().save_related(request, form, formsets, change)
        if "query" in form.changed_data:
            feeds.feed_choose(form.instance, query=form.cleaned_data["query"])
        if not change or "widget_id" in form.changed_data:
            feeds.placements_link(form.instance)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Warn about apps that place what is about to be deleted."""
        if "post" not in request.POST:
            ids = [widget.widget_id for widget in objs]
            if len(ids) == 1:
                _warn_of_apps(request, ids[0], "will be gone")
            elif apps := lineage.apps_of(ids):
                names = lineage.listed([f"“{app.name}” {app.what}" for app in apps])
                messages.warning(request, f"Apps place widgets that will be gone: {names}. Change their tabs too.")
        return super().get_deleted_objects(objs, request)

    @action(description="Duplicate as draft", permissions=["add"])
    def duplicate_selected(self, request: HttpRequest, queryset: Any) -> None:
        """Make drafts that begin as copies."""
        for widget in queryset:
            made = widget_duplicate(widget)
            messages.success(request, f"“{widget}” is copied to the draft “{made}”.")


def _warn_of_apps(request: HttpRequest, widget_id: str, what: str) -> None:
    if apps := states.placed_by(widget_id):
        names = ", ".join(f"“{app}”" for app in apps)
        messages.warning(request, f"Apps place the widget “{widget_id}”, which {what}: {names}. Change their tabs too.")
