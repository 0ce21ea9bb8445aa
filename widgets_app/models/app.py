"""One entry of apps.json: tabs in order, where each widget sits, which widgets share a parameter."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from widgets_app import vocabulary
from widgets_app.models.fields import JSONTextField
from widgets_app.models.manifest_entry import ManifestEntry
from widgets_app.models.ordering import Ordered
from widgets_app.models.widget import Widget


def no_groups() -> dict[str, Any]:
    """Return the keys of an app made here: Workspace wants `groups`, even without any."""
    return {"groups": []}


class App(ManifestEntry):
    """An app's definition. `slug` is our own name for it; Workspace only knows the name."""

    slug = models.SlugField(max_length=255, unique=True, help_text="Our own short name; Workspace does not see it.")
    name = models.CharField(max_length=500, null=True, blank=True, help_text="Title in Workspace's gallery.")
    description = models.TextField(null=True, blank=True, help_text="Shown in the gallery.")
    img = models.TextField(
        "picture",
        null=True,
        blank=True,
        help_text="Address of a picture of about 250 x 200, or an uploaded one.",
    )
    img_dark = models.TextField("picture, dark theme", null=True, blank=True)
    img_light = models.TextField("picture, light theme", null=True, blank=True)
    allow_customization = models.BooleanField(
        null=True, blank=True, default=True, help_text="Users may change their copy of the app."
    )
    app_id = models.CharField(
        "id", max_length=255, null=True, blank=True, help_text="Usually empty; otherwise starts with custom-."
    )
    selected_agent = models.CharField(
        max_length=255, null=True, blank=True, help_text="Id of the agent chosen when the app opens."
    )
    authentication = models.TextField(null=True, blank=True, help_text="For example where to get a key.")
    prompts = JSONTextField(
        null=True,
        blank=True,
        default=list,
        help_text="Questions offered to users; @[id:prices] names a widget.",
    )
    mcp_servers = JSONTextField(
        "MCP servers",
        null=True,
        blank=True,
        help_text='[{"name": "Research", "description": "…", "url": "https://…", "authType": "oauth"}]',
    )
    extra = JSONTextField("other keys", null=True, blank=True, default=no_groups)

    class Meta(ManifestEntry.Meta):
        constraints = [models.CheckConstraint(condition=~Q(slug=""), name="app_slug_not_empty")]

    def __str__(self) -> str:
        return self.name or self.slug


class Tab(Ordered):
    """One tab of an app; the order of tabs is the order in which Workspace shows them."""

    app = models.ForeignKey(App, models.CASCADE, related_name="tabs")
    key = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="Stable name of the tab; may be empty if it is the only one.",
    )
    tab_id = models.CharField(
        "id", max_length=255, null=True, blank=True, help_text="Equal to the key; filled in for you."
    )
    name = models.CharField(max_length=500, null=True, blank=True, help_text="Title of the tab.")
    extra = JSONTextField("other keys", null=True, blank=True)

    class Meta(Ordered.Meta):
        constraints = [models.UniqueConstraint(fields=["app", "key"], name="tab_key_once_per_app")]

    def __str__(self) -> str:
        return self.name or self.key or "(only tab)"


class Placement(Ordered):
    """Where a widget sits in a tab. The id is kept as text, so that a widget of another backend may be placed."""

    tab = models.ForeignKey(Tab, models.CASCADE, related_name="placements")
    widget = models.ForeignKey(
        Widget, models.SET_NULL, null=True, blank=True, related_name="placements", editable=False
    )
    widget_id_text = models.CharField("widget id", max_length=255, null=True, blank=True)
    x = models.IntegerField(null=True, blank=True, help_text="Column of the left edge, 0 to 39.")
    y = models.IntegerField(null=True, blank=True, help_text="Row of the upper edge, from 0.")
    w = models.IntegerField("width", null=True, blank=True, help_text="1 to 40.")
    h = models.IntegerField("height", null=True, blank=True)
    groups = JSONTextField(null=True, blank=True, help_text='Names of the app\'s groups it is in: ["Group 1"].')
    state = JSONTextField(null=True, blank=True, help_text='What is set at this place: {"params": {"ticker": "AAPL"}}.')
    extra = JSONTextField("other keys", null=True, blank=True)

    class Meta(Ordered.Meta):
        indexes = [models.Index(fields=["tab", "position"])]

    def __str__(self) -> str:
        return self.widget_id_text or "(no widget)"


class ParameterGroup(Ordered):
    """Widgets of an app that share one parameter."""

    app = models.ForeignKey(App, models.CASCADE, related_name="parameter_groups")
    name = models.CharField(
        max_length=255, null=True, blank=True, help_text="Group 1, Group 2, …: Workspace links by this form."
    )
    type = models.CharField(max_length=20, null=True, blank=True, choices=vocabulary.GROUP_TYPES)
    param_name = models.CharField(
        "parameter",
        max_length=255,
        null=True,
        blank=True,
        help_text="Name that the widgets' parameters share.",
    )
    widget_ids = JSONTextField("widgets", null=True, blank=True, help_text='["prices", "news"]')
    default_value = JSONTextField("default", null=True, blank=True)
    extra = JSONTextField("other keys", null=True, blank=True)

    class Meta(Ordered.Meta):
        pass

    def __str__(self) -> str:
        return self.name or f"group {self.pk}"
