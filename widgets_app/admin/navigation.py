"""The sidebar: what somebody may see, in the order in which a backend is built up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse

ENTRIES = ("widget", "app", "agent")


class Link(NamedTuple):
    """A list of the admin; `model` as its permission names it."""

    title: str
    icon: str
    model: str

    @property
    def url(self) -> str:
        """The address of the list."""
        return reverse(f"admin:{self.model.replace('.', '_')}_changelist")

    def allowed(self, request: HttpRequest) -> bool:
        """Say whether the user may see it."""
        return may_view(request, self.model)


class Tool(NamedTuple):
    """A page that is about no model in particular."""

    title: str
    icon: str
    name: str
    allowed: Callable[[HttpRequest], bool]

    @property
    def url(self) -> str:
        """The address of the page."""
        return reverse(f"admin:{self.name}")


def may_view(request: HttpRequest, model: str) -> bool:
    """Say whether the user may see the list of a model, given as `app.model`."""
    app, name = model.split(".")
    user = request.user
    return user.has_perm(f"{app}.view_{name}") or user.has_perm(f"{app}.change_{name}")


def may_import(request: HttpRequest) -> bool:
    """Say whether the user may bring definitions in; what an import does besides takes its own permissions."""
    entries = [f"widgets_app.{verb}_{model}" for model in ENTRIES for verb in ("add", "change")]
    return request.user.has_perms(["widgets_app.add_source", *entries])


def may_export(request: HttpRequest) -> bool:
    """Say whether the user may take definitions out, with the queries and sources that they need."""
    return all(may_view(request, f"widgets_app.{model}") for model in (*ENTRIES, "query", "source"))


def may_see_findings(request: HttpRequest) -> bool:
    """Say whether the user may see what is wrong with all definitions."""
    return may_view(request, "widgets_app.widget") and may_view(request, "widgets_app.app")


def may_examine(request: HttpRequest) -> bool:
    """Say whether the user may have this backend examined: what is found tells of everything that it serves."""
    return all(may_view(request, f"widgets_app.{model}") for model in ENTRIES)


def may_examine_others(request: HttpRequest) -> bool:
    """Say whether the user may have this server ask any address, as who may change sources already may."""
    return may_examine(request) and request.user.has_perm("widgets_app.change_source")


def may_modernise(request: HttpRequest) -> bool:
    """Say whether the user may have all definitions rewritten."""
    return request.user.has_perms([f"widgets_app.change_{model}" for model in ENTRIES])


SECTIONS: dict[str, tuple[Link | Tool, ...]] = {
    "Dashboards": (
        Link("Widgets", "widgets", "widgets_app.widget"),
        Link("Apps", "dashboard", "widgets_app.app"),
        Link("Agents", "smart_toy", "widgets_app.agent"),
    ),
    "Data": (
        Link("Queries", "manage_search", "widgets_app.query"),
        Link("Sources", "database", "widgets_app.source"),
    ),
    "Access": (
        Link("API keys", "key", "widgets_app.apikey"),
        Link("Users", "person", "auth.user"),
        Link("Groups", "group", "auth.group"),
    ),
    "History": (Link("Versions", "history", "widgets_app.version"),),
    "Tools": (
        Tool(
            "Import and export", "import_export", "import", lambda request: may_import(request) or may_export(request)
        ),
        Tool("Findings", "rule", "findings", may_see_findings),
    ),
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sections of the sidebar, without what this user may not see."""
    sections = [
        {"title": title, "separator": True, "items": [_item(link) for link in links if link.allowed(request)]}
        for title, links in SECTIONS.items()
    ]
    first = [
        {"title": "Overview", "icon": "home", "link": reverse("admin:index")},
        {"title": "Connection", "icon": "cable", "link": reverse("admin:connection")},
    ]
    return [{"items": first}, *(section for section in sections if section["items"])]


def _item(link: Link | Tool) -> dict[str, Any]:
    return {"title": link.title, "icon": link.icon, "link": link.url}
