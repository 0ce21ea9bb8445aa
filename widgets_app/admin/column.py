"""Columns: a short row inside the widget's page, and a page with everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from widgets_app.admin.base import change_url
from widgets_app.admin.column_settings import (
    COLUMN_FIELDS,
    CONDITIONS,
    MEMBERS,
    RENDERING,
    SPARKLINE,
    SPARKLINE_LAYOUT,
    suggestions,
)
from widgets_app.admin.fields import RenderFunctions
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.options import with_fields
from widgets_app.admin.ordering import OrderedInline
from widgets_app.admin.publishing import PartAdmin
from widgets_app.admin.site import site
from widgets_app.admin.theme import display
from widgets_app.manifest import contract
from widgets_app.models import Column, Widget
from widgets_app.shapes.registry import DEFAULT_TYPE

TABLES = ("table", "ssrm_table", "live_grid")


def shows_columns(widget: Widget) -> bool:
    """Say whether a widget is a table, or has columns nevertheless."""
    return (widget.type or DEFAULT_TYPE) in TABLES or widget.columns.exists()


class BaseColumnForm(KeepingForm):
    """All of a column, but for the members of its settings."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rendering = self.fields.get("render_fn")
        if isinstance(rendering, RenderFunctions):
            rendering.offer(self.instance.render_fn)
            rendering.help_text = "One or several; what they need shows below."
        for members in MEMBERS:
            members.show(self, getattr(self.instance, members.holder))

    def clean(self) -> dict[str, Any]:
        """Complain at the fields about settings that Workspace would not read."""
        super().clean()
        for members in MEMBERS:
            members.write(self)
        data = self.cleaned_data
        if self.touched("sparkline") and data.get("sparkline") is not None:
            known = contract.check_sparkline(self.initial.get("sparkline") or {})
            SPARKLINE.refuse(self, contract.check_sparkline(data["sparkline"]), known)
        if self.touched("render_fn", "render_fn_params") and "render_fn_params" in data:
            self._check_rendering(data["render_fn_params"])
        return data

    def _check_rendering(self, settings: object) -> None:
        known = contract.check_render_fn_params(self.initial.get("render_fn_params"), self.initial.get("render_fn"))
        found = contract.check_render_fn_params(settings, self.cleaned_data.get("render_fn"))
        RENDERING.refuse(self, found, known)


ColumnForm = with_fields(BaseColumnForm, COLUMN_FIELDS)


@admin.register(Column, site=site)
class ColumnAdmin(PartAdmin):
    """The page of one column."""

    form = ColumnForm
    owner = ("widget",)
    search_fields = ("field",)
    json_fields: ClassVar[Any] = {"render_fn": RenderFunctions}
    lines: ClassVar[Any] = {"header_tooltip": 2}
    unstripped = frozenset({"prefix", "suffix"})
    conditional_fields: ClassVar[Mapping[str, str]] = CONDITIONS
    fieldsets = (
        (
            "Column",
            {
                "classes": ["tab"],
                "fields": ["field", "header_name", "header_tooltip", "cell_data_type", "chart_data_type"],
            },
        ),
        (
            "Look",
            {
                "classes": ["tab"],
                "fields": [
                    "formatter_fn",
                    "decimal_places",
                    ("prefix", "suffix"),
                    ("width", "align"),
                    ("min_width", "max_width"),
                    ("hide", "pinned"),
                    "sort",
                    "enable_cell_change_ws",
                ],
            },
        ),
        ("Rendering", {"classes": ["tab"], "fields": ["render_fn", *RENDERING.paths]}),
        ("Small chart", {"classes": ["tab"], "fields": [*SPARKLINE_LAYOUT]}),
        ("Advanced", {"classes": ["tab"], "fields": ["render_fn_params", "sparkline", "extra"]}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave inputs for members of what is stored out for who may only look, and sees it whole."""
        sets: Any = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return sets
        shown = [(title, [name for name in more["fields"] if not _is_input(name)]) for title, more in sets]
        return [(title, {"classes": ["tab"], "fields": names}) for title, names in shown if names]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add suggestions: columns of the widget, parameters of all widgets, agents, colours."""
        if (obj := kwargs.get("obj")) is not None:
            context["datalists"] = suggestions(obj.widget)
        return super().render_change_form(request, context, *args, **kwargs)


def _is_input(line: str | tuple[str, ...]) -> bool:
    return line in COLUMN_FIELDS if isinstance(line, str) else all(name in COLUMN_FIELDS for name in line)


class MoreLink(OrderedInline):
    """Rows that have a page of their own besides."""

    more_text = "All fields"

    @display(description="")
    def more(self, obj: Any) -> SafeString:
        """Return the link to the row's page."""
        if obj.pk is None:
            return SafeString("")
        return format_html('<a class="wb-link" href="{}">{}</a>', change_url(obj), self.more_text)


class ColumnInline(MoreLink):
    """The columns inside the page of their widget."""

    model = Column
    fields = ("field", "header_name", "cell_data_type", "formatter_fn", "hide", "more", "position")
    readonly_fields = ("more",)
