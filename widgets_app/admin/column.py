"""Columns: a short row inside the widget's page, and a page with everything."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from widgets_app.admin.base import change_url
from widgets_app.admin.fields import RenderFunctions
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.ordering import OrderedInline
from widgets_app.admin.publishing import PartAdmin
from widgets_app.admin.site import site
from widgets_app.admin.theme import display
from widgets_app.manifest import contract
from widgets_app.models import Column


class ColumnForm(KeepingForm):
    """All of a column."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rendering = self.fields.get("render_fn")
        if isinstance(rendering, RenderFunctions):
            rendering.offer(self.instance.render_fn)
            rendering.help_text = "One or several. Cards, clicks and colour rules need the settings below."

    def clean(self) -> dict[str, Any]:
        """Complain at the field about settings that Workspace would not read."""
        super().clean()
        data = self.cleaned_data
        if data.get("sparkline") is not None:
            self.refuse("sparkline", contract.check_sparkline(data["sparkline"]))
        if data.get("render_fn_params") is not None:
            found = contract.check_render_fn_params(data["render_fn_params"], data.get("render_fn"))
            self.refuse("render_fn_params", found)
        return data


@admin.register(Column, site=site)
class ColumnAdmin(PartAdmin):
    """The page of one column."""

    form = ColumnForm
    owner = ("widget",)
    search_fields = ("field",)
    json_fields: ClassVar[Any] = {"render_fn": RenderFunctions}
    lines: ClassVar[Any] = {"header_tooltip": 2}
    unstripped = frozenset({"prefix", "suffix"})
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
        ("Rendering", {"classes": ["tab"], "fields": ["render_fn", "render_fn_params", "sparkline"]}),
        ("Advanced", {"classes": ["tab"], "fields": ["extra"]}),
    )


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
