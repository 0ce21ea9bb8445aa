"""Modernising what is here: the page that shows what it would do, and does it."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from widgets_app.admin.base import BackendAdmin
from widgets_app.admin.differences import DEFINITIONS_SHOWN, Difference, difference, listed, tallied
from widgets_app.admin.exporting import selected
from widgets_app.admin.navigation import may_modernise, may_see_findings
from widgets_app.admin.site import site
from widgets_app.admin.theme import action
from widgets_app.errors import DefinitionError
from widgets_app.services.bundles import Selection
from widgets_app.services.modernising import Rewrite, Rewrites, modernise_apply, modernise_plan

CONFIRM = "_modernise"
CHANGED = "Definitions have changed since this was shown. Look again, then modernise."
STAYS = "stays a draft"


class ModerniseAdmin(BackendAdmin):
    """A list whose rows can be rewritten to today's form."""

    @action(description="Modernise", permissions=["change"])
    def modernise_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """Show what modernising the selected definitions would do."""
        return _preview(request, selected(self.model, queryset))


def page(request: HttpRequest) -> HttpResponse:
    """Show what modernising would do to everything, or do what was shown."""
    only = _selection(request.POST.get("only", ""))
    if not _allowed(request, only):
        raise PermissionDenied
    if CONFIRM not in request.POST:
        return _preview(request, only)
    try:
        found = modernise_apply(author=request.user, only=only, check=lambda found: _same(request, found))  # type: ignore[arg-type]  # signed in
    except DefinitionError as error:
        return _preview(request, only, problem=str(error))
    _report(request, found)
    return HttpResponseRedirect(_back(request, only))


def _preview(request: HttpRequest, only: Selection | None, problem: str = "") -> HttpResponse:
    plan = modernise_plan(only)
    return site.page(
        request,
        "admin/widgets_app/modernise.html",
        title="Modernise",
        problem=problem,
        digest=plan.digest,
        only=_text(only),
        back=_back(request, only),
        differences=listed((_shown(step) for step in plan.steps), DEFINITIONS_SHOWN),
        rewrites=tallied(change for step in plan.steps for change in step.changes),
        drafts=sum(not step.publishes for step in plan.steps),
    )


def _shown(step: Rewrite) -> Difference:
    return difference(step.kind, step.name, step.changes, "" if step.publishes else STAYS)


def _same(request: HttpRequest, found: Rewrites) -> None:
    """Refuse to do anything else than what was shown."""
    if found.digest != request.POST.get("digest"):
        raise DefinitionError(CHANGED)


def _report(request: HttpRequest, found: Rewrites) -> None:
    count, drafts = len(found.steps), sum(not step.publishes for step in found.steps)
    messages.success(request, f"{count} definition{'' if count == 1 else 's'} modernised.")
    if drafts:
        text = f"{drafts} of them had changes that are not published, or were never published, and stay drafts."
        messages.warning(request, text)


def _allowed(request: HttpRequest, only: Selection | None) -> bool:
    """Say whether the user may change all that is chosen."""
    if only is None:
        return may_modernise(request)
    kinds = [kind for kind in ("widget", "app", "agent") if getattr(only, f"{kind}s")]
    return request.user.has_perms([f"widgets_app.change_{kind}" for kind in kinds])


def _back(request: HttpRequest, only: Selection | None) -> str:
    for kind in ("widget", "app", "agent"):
        if only is not None and getattr(only, f"{kind}s"):
            return reverse(f"admin:widgets_app_{kind}_changelist")
    return reverse("admin:findings" if may_see_findings(request) else "admin:index")


def _text(only: Selection | None) -> str:
    """Return a selection as a form sends it back; empty for everything."""
    return json.dumps({kind: sorted(pks) for kind, pks in vars(only).items()}) if only else ""


def _selection(text: str) -> Selection | None:
    try:
        return Selection(**{kind: frozenset(map(int, pks)) for kind, pks in json.loads(text).items()}) if text else None
    except (ValueError, TypeError, AttributeError):
        raise SuspiciousOperation("This is not the selection of a list.") from None
