"""Apps, their tabs, what the tabs place, and which widgets share a parameter."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.text import slugify

from widgets_app.admin.base import in_one_line, json_of, strings
from widgets_app.admin.column import MoreLink
from widgets_app.admin.fields import Scalar
from widgets_app.admin.filters import StateFilter
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.manifest_entry import ManifestEntryAdmin
from widgets_app.admin.ordering import OrderedFormSet
from widgets_app.admin.pictures import PictureUploads, Upload
from widgets_app.admin.publishing import PartAdmin, grouped
from widgets_app.admin.site import site
from widgets_app.admin.theme import display
from widgets_app.manifest import contract
from widgets_app.models import Agent, App, ParameterGroup, Placement, Tab, Widget
from widgets_app.services.publishing import findings_of, with_parts

WIDGETS = "widget-ids"
AGENTS = "agent-ids"


class TabForm(KeepingForm):
    """A tab; its id is its key."""

    def clean_key(self) -> str:
        """Refuse a key that another tab of the app has."""
        key: str = self.cleaned_data.get("key", "")
        app_id = self.instance.app_id
        if (
            app_id
            and self.touched("key")
            and Tab.objects.filter(app=app_id, key=key).exclude(pk=self.instance.pk).exists()
        ):
            raise ValidationError("Another tab of the app has this key.")
        return key

    def clean(self) -> dict[str, Any]:
        """Make the key of a new tab from its name; have the id follow the key."""
        super().clean()
        data = self.cleaned_data
        if not self.instance.pk and not data.get("key") and data.get("name"):
            data["key"] = slugify(data["name"])
        before = self.initial.get("key")
        if "tab_id" not in self.fields:
            follows = self.instance.tab_id in (None, before)
            self.instance.tab_id = data.get("key") or None if follows else self.instance.tab_id
        elif not data.get("tab_id"):
            data["tab_id"] = data.get("key") or None
        return data


class TabInline(MoreLink):
    """The tabs of an app."""

    model = Tab
    form = TabForm
    fields = ("name", "key", "placed", "more", "position")
    readonly_fields = ("placed", "more")
    more_text = "Place widgets"

    @display(description="widgets")
    def placed(self, obj: Tab) -> str:
        """Name the placed widgets."""
        return ", ".join(placement.widget_id_text or "-" for placement in obj.placements.all()) if obj.pk else ""

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read what is placed at once."""
        return super().get_queryset(request).prefetch_related("placements")


class GroupInline(MoreLink):
    """The groups of widgets that share a parameter."""

    model = ParameterGroup
    verbose_name_plural = "shared parameters"
    fields = ("name", "type", "param_name", "widget_ids", "default_value", "more", "position")
    readonly_fields = ("more",)
    json_fields: ClassVar[Any] = {"widget_ids": strings(), "default_value": Scalar}


class AppForm(PictureUploads):
    """All of an app but its tabs and groups."""

    img_file = Upload()
    img_dark_file = Upload()
    img_light_file = Upload()
    picture_fields = ("img", "img_dark", "img_light")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "selected_agent" in self.fields:
            self.fields["selected_agent"].widget.attrs["list"] = AGENTS


@admin.register(App, site=site)
class AppAdmin(ManifestEntryAdmin):
    """The pages of apps."""

    form = AppForm
    inlines = (TabInline, GroupInline)
    autocomplete_fields = ("groups",)
    prepopulated_fields: ClassVar[Any] = {"slug": ("name",)}
    list_display = ("slug", "name", "state", "visible_to")
    list_filter = (StateFilter, "groups")
    search_fields = ("slug", "name", "description")
    json_fields: ClassVar[Any] = {"prompts": strings(separator="\n", empty=list), "mcp_servers": json_of(list)}
    lines: ClassVar[Any] = {"description": 3, "authentication": 2}
    fieldsets = (
        ("Basics", {"classes": ["tab"], "fields": ["name", "slug", "description", "allow_customization"]}),
        (
            "Pictures",
            {
                "classes": ["tab"],
                "fields": ["img", "img_file", "img_dark", "img_dark_file", "img_light", "img_light_file"],
            },
        ),
        ("AI", {"classes": ["tab"], "fields": ["prompts", "selected_agent", "mcp_servers"]}),
        ("Who sees it", {"classes": ["tab"], "fields": ["groups"]}),
        ("Advanced", {"classes": ["tab"], "fields": ["app_id", "authentication", "extra"]}),
    )

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Suggest the ids of agents; Workspace has others of its own."""
        context["datalists"] = {AGENTS: list(Agent.objects.values_list("agent_id", flat=True))}
        return super().render_change_form(request, context, *args, **kwargs)


class PlacementForm(KeepingForm):
    """Where a widget sits."""

    def __init__(self, *args: Any, widgets: dict[str, int] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = widgets
        self.fields["widget_id_text"].widget.attrs["list"] = WIDGETS

    def clean(self) -> dict[str, Any]:
        """Link the widget; complain at the field about a state that Workspace would not read."""
        super().clean()
        data = self.cleaned_data
        if data.get("state") is not None:
            self.refuse("state", contract.check_state(data["state"]))
        if self.touched("widget_id_text"):
            self.instance.widget_id = self._widget(data.get("widget_id_text"))
        return data

    def _widget(self, widget_id: str | None) -> int | None:
        known = widget_ids() if self.known is None else self.known
        return known.get(widget_id or "")


class PlacementFormSet(OrderedFormSet):
    """The widgets of a tab, which share one look at the ids there are."""

    @cached_property
    def widgets(self) -> dict[str, int]:
        """Return the primary keys of all widgets by their ids."""
        return widget_ids()

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        """Hand the ids to every row."""
        return {**super().get_form_kwargs(index), "widgets": self.widgets}


class PlacementInline(MoreLink):
    """What a tab places."""

    model = Placement
    form = PlacementForm
    formset = PlacementFormSet
    tab = False
    verbose_name_plural = "placed widgets"
    fields = ("widget_id_text", "x", "y", "w", "h", "groups", "state", "more", "position")
    readonly_fields = ("more",)
    json_fields: ClassVar[Any] = {"groups": strings(), "state": in_one_line(dict)}


@admin.register(Tab, site=site)
class TabAdmin(PartAdmin):
    """The page of one tab."""

    form = TabForm
    owner = ("app",)
    listed_as = "app"
    inlines = (PlacementInline,)
    search_fields = ("key", "name")
    fieldsets = (
        ("Tab", {"classes": ["tab"], "fields": ["name", "key"]}),
        ("Advanced", {"classes": ["tab"], "fields": ["tab_id", "extra"]}),
    )

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Suggest the ids of widgets, and show what is to be said about the app."""
        context["datalists"] = {WIDGETS: list(widget_ids())}
        if (obj := kwargs.get("obj")) is not None and request.method == "GET":
            context["findings"] = grouped(findings_of(with_parts(App.objects.all()).get(pk=obj.app_id)))
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(Placement, site=site)
class PlacementAdmin(PartAdmin):
    """The page of one placed widget."""

    form = PlacementForm
    owner = ("tab", "app")
    listed_as = "app"
    json_fields: ClassVar[Any] = {"groups": strings()}
    fields = ("widget_id_text", ("x", "y"), ("w", "h"), "groups", "state", "extra")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Suggest the ids of widgets."""
        context["datalists"] = {WIDGETS: list(widget_ids())}
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(ParameterGroup, site=site)
class ParameterGroupAdmin(PartAdmin):
    """The page of one group of widgets that share a parameter."""

    owner = ("app",)
    listed_as = "app"
    json_fields: ClassVar[Any] = {"widget_ids": strings(), "default_value": Scalar}
    fields = ("name", "type", "param_name", "widget_ids", "default_value", "extra")


def widget_ids() -> dict[str, int]:
    """Return the primary keys of all widgets by their ids."""
    return dict(Widget.objects.values_list("widget_id", "pk"))
