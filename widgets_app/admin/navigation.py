"""The sidebar: what somebody may see, in the order in which a backend is built up."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse


class Link(NamedTuple):
    """A list of the admin; `model` as its permission names it."""

    title: str
    icon: str
    model: str


SECTIONS: dict[str, tuple[Link, ...]] = {
    "Dashboards": (
        Link("Widgets", "widgets", "widgets_app.widget"),
        Link("Apps", "dashboard", "widgets_app.app"),
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
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sections of the sidebar, without what this user may not see."""
    sections = [
        {"title": title, "separator": True, "items": [_item(link) for link in links if may_view(request, link.model)]}
        for title, links in SECTIONS.items()
    ]
    overview = {"title": "Overview", "icon": "home", "link": reverse("admin:index")}
    return [{"items": [overview]}, *(section for section in sections if section["items"])]


def may_view(request: HttpRequest, model: str) -> bool:
    """Say whether the user may see the list of a model, given as `app.model`."""
    app, name = model.split(".")
    user = request.user
    return user.has_perm(f"{app}.view_{name}") or user.has_perm(f"{app}.change_{name}")


def _item(link: Link) -> dict[str, Any]:
    return {
        "title": link.title,
        "icon": link.icon,
        "link": reverse(f"admin:{link.model.replace('.', '_')}_changelist"),
    }
