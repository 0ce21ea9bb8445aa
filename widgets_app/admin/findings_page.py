"""The page of findings: what is wrong with everything that is here, by what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from widgets_app.admin.differences import Urls, finding_groups
from widgets_app.admin.navigation import may_modernise, may_see_findings, may_view
from widgets_app.admin.site import site
from widgets_app.models import Agent, App, Widget
from widgets_app.services.bundles import Reported, backend_findings, grouped

SHOWN, FOLDED = 20, 200  # definitions of one kind of finding

KINDS = {"widget": "Widgets", "app": "Apps", "agent": "Agents"}
SEVERITIES = {"error": "Errors", "warning": "Warnings", "info": "Notes"}
NAMES: dict[str, tuple[Any, str]] = {
    "widget": (Widget, "widget_id"),
    "app": (App, "slug"),
    "agent": (Agent, "agent_id"),
}


class Choice(NamedTuple):
    """A link that narrows the page down, and how many findings it leads to."""

    title: str
    url: str
    number: int
    chosen: bool


def page(request: HttpRequest) -> HttpResponse:
    """Show all findings, or those of one kind of definition, or of one severity."""
    if not may_see_findings(request):
        raise PermissionDenied
    kind, severity = request.GET.get("kind", ""), request.GET.get("severity", "")
    # What is wrong with agents quotes them.
    visible = [name for name in KINDS if may_view(request, f"widgets_app.{name}")]
    found = [each for each in backend_findings() if each.kind in visible]
    chosen = [each for each in found if kind in ("", each.kind) and severity in ("", each.finding.severity)]
    return site.page(
        request,
        "admin/widgets_app/findings_page.html",
        title="Findings",
        groups=finding_groups(grouped(chosen), shown=SHOWN, folded=FOLDED, urls=_urls()),
        found=found,
        kinds=_kinds(found, visible, kind, severity),
        severities=_severities(found, kind, severity),
        modernisable=may_modernise(request) and any(group.modernised for group in grouped(found)),
    )


def _urls() -> Urls:
    """Return the pages of all definitions that findings may be about."""
    pages = {kind: reverse(f"admin:widgets_app_{kind}_change", args=[0]) for kind in NAMES}
    return {
        (kind, name): pages[kind].replace("/0/", f"/{pk}/")
        for kind, (model, field) in NAMES.items()
        for pk, name in model.objects.values_list("pk", field)
    }


def _kinds(found: Sequence[Reported], visible: Sequence[str], kind: str, severity: str) -> list[Choice]:
    counts = Counter(each.kind for each in found if severity in ("", each.finding.severity))
    words = {"": "Everything", **{name: KINDS[name] for name in visible}}
    return [
        Choice(word, _url(name, severity), counts[name] if name else counts.total(), name == kind)
        for name, word in words.items()
    ]


def _severities(found: Sequence[Reported], kind: str, severity: str) -> list[Choice]:
    counts = Counter[str](each.finding.severity for each in found if kind in ("", each.kind))
    return [
        Choice(word, _url(kind, name), counts[name] if name else counts.total(), name == severity)
        for name, word in {"": "All", **SEVERITIES}.items()
    ]


def _url(kind: str, severity: str) -> str:
    chosen = {name: value for name, value in (("kind", kind), ("severity", severity)) if value}
    return f"?{urlencode(chosen)}"
