"""App rows -> documents."""

from __future__ import annotations

from typing import Any

from widgets_app.manifest import keys
from widgets_app.models import App, Tab

Document = dict[str, Any]

# What a writer touches, to be prefetched when many are written.
APP_CHILDREN = ("tabs__placements", "parameter_groups", "groups")


def app_document(app: App) -> Document:
    """Return all of an app: its entry of apps.json and what this backend keeps about it."""
    return {
        "slug": app.slug,
        "app": definition(app),
        "groups": sorted(group.name for group in app.groups.all()),
        "imported": app.imported,
    }


def definition(app: App) -> Document:
    """Return the app's entry of apps.json; tabs and groups keep their order."""
    document = keys.APP.write(app, None)
    if tabs := {tab.key: _tab(tab) for tab in app.tabs.all()}:
        document["tabs"] = tabs
    if groups := [keys.GROUP.write(group, group.extra) for group in app.parameter_groups.all()]:
        document["groups"] = groups
    return document | {key: value for key, value in (app.extra or {}).items() if key not in document}


def _tab(tab: Tab) -> Document:
    document = keys.TAB.write(tab, None)
    if layout := [keys.PLACEMENT.write(placement, placement.extra) for placement in tab.placements.all()]:
        document["layout"] = layout
    return document | {key: value for key, value in (tab.extra or {}).items() if key not in document}
