"""The front page: what is served, what is wrong, how to connect, and what to do next."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from widgets_app import catalog
from widgets_app.admin.navigation import may_import, may_view
from widgets_app.authentication import HEADER, KEYS
from widgets_app.errors import Busy
from widgets_app.models import Agent, App, Query, Source, Widget


class Step(NamedTuple):
    """Something to do next; `url` is empty for who may not do it."""

    text: str
    url: str


class Count(NamedTuple):
    """How many of a kind are served, and how many drafts wait."""

    title: str
    served: int
    drafts: int
    url: str


def overview(request: HttpRequest) -> dict[str, Any]:
    """Return what the front page shows to this user."""
    try:
        published = catalog.current()
        keys = sum(key.active for key in KEYS.current().values())
    except Busy as error:
        return {"unavailable": str(error)}
    return {
        "counts": _counts(request, published),
        "problems": _problems(published) if may_view(request, "widgets_app.widget") else [],
        "steps": _steps(request),
        "import_url": reverse("admin:import") if may_import(request) else "",
        "public_url": settings.PUBLIC_URL,
        "header": HEADER,
        "open": settings.WIDGETS_OPEN,
        "active_keys": keys,
        "issue_url": reverse("admin:widgets_app_apikey_add") if request.user.has_perm("widgets_app.add_apikey") else "",
    }


def _counts(request: HttpRequest, published: catalog.Catalog) -> list[Count]:
    served = {
        Widget: len(published.entries),
        App: len(published.apps),
        Agent: len(published.agents),
        Query: len(published.queries),
    }
    return [
        Count(
            str(model._meta.verbose_name_plural).capitalize(),
            number,
            model._default_manager.filter(published=None).count(),
            reverse(f"admin:widgets_app_{model._meta.model_name}_changelist"),
        )
        for model, number in served.items()
        if may_view(request, f"widgets_app.{model._meta.model_name}")
    ]


def _problems(published: catalog.Catalog) -> list[str]:
    """Return what keeps something published from being served."""
    left_out = [f"{name} is left out: {reason}" for name, reason in published.left_out.items()]
    queries = [query.fault for query in published.queries.values() if query.fault]
    return [*left_out, *queries]


def _steps(request: HttpRequest) -> list[Step]:
    """Return what a new backend still lacks, in the order in which it is made; nothing once there is a widget."""
    if Widget.objects.exists():
        return []
    lacking = [
        (Source, "Make a source: where the data is, for example a folder of CSV files."),
        (Query, "Write a query that reads from it."),
        (Widget, "Make a widget that shows the rows of the query, and publish it."),
    ]
    steps = []
    for model, text in lacking:
        if not model._default_manager.exists():
            name = model._meta.model_name
            may_add = request.user.has_perm(f"widgets_app.add_{name}")
            steps.append(Step(text, reverse(f"admin:widgets_app_{name}_add") if may_add else ""))
    return steps
