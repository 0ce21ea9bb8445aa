"""Versions: what was published and when, what has changed since, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from widgets_app.admin.base import BackendAdmin, change_url
from widgets_app.admin.fields import show_json
from widgets_app.admin.publishing import publish
from widgets_app.admin.site import site
from widgets_app.admin.theme import display
from widgets_app.errors import DefinitionError
from widgets_app.manifest import diff, document
from widgets_app.models import Agent, App, Query, Version, Widget
from widgets_app.services.publishing import Definition, document_of, version_restore

CHANGES_SHOWN = 300
VALUE_SHOWN = 400  # characters of a value in the table of changes

MODELS: dict[str, Any] = {
    Version.Kind.WIDGET: Widget,
    Version.Kind.APP: App,
    Version.Kind.AGENT: Agent,
    Version.Kind.QUERY: Query,
}
RESTORE, RESTORE_AND_PUBLISH = "_restore", "_restore_publish"


@admin.register(Version, site=site)
class VersionAdmin(BackendAdmin):
    """The list of versions, and the page that compares one."""

    list_display = ("identifier", "kind", "number", "created_at", "author", "note", "standing")
    list_filter = ("kind", "author", "created_at")
    list_select_related = ("author",)
    search_fields = ("identifier", "note")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Say no: publishing writes versions."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say no: a version is what it was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say no: they are the history."""
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the documents out of lists; find out what is served and what is gone."""
        served, there = Q(pk__in=[]), Q(pk__in=[])
        for kind, model in MODELS.items():
            served |= Q(Exists(model.objects.filter(published=OuterRef("pk"))))
            there |= Q(Exists(model.objects.filter(pk=OuterRef("object_id"))), kind=kind)
        return super().get_queryset(request).defer("document").annotate(served=served, there=there)

    @display(description="")
    def standing(self, obj: Any) -> str:
        """Say whether it is served, or belongs to something that was deleted."""
        return "served" if obj.served else "" if obj.there else "deleted"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Compare a version; restore it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        version: Version = self.row_or_404(request, object_id)
        row = MODELS[version.kind].objects.filter(pk=version.object_id).first()
        may_restore = self._may_restore(request, version, row)
        if request.method == "POST":
            if not may_restore:
                raise PermissionDenied
            return self._restore(request, version)
        return self.page(
            request,
            "admin/widgets_app/version.html",
            version,
            title=str(version),
            definition=row,
            definition_url=change_url(row) if row else "",
            may_restore=may_restore,
            pretty=show_json(document.load(version.document), indent=2),
            **self._compared(version, row, request.GET.get("against", "")),
        )

    def _may_restore(self, request: HttpRequest, version: Version, row: Definition | None) -> bool:
        target = self.admin_site.get_model_admin(MODELS[version.kind])
        if row is None and not target.has_add_permission(request):
            return False
        return target.has_change_permission(request, row)

    def _restore(self, request: HttpRequest, version: Version) -> HttpResponse:
        try:
            with transaction.atomic():
                row = version_restore(version)
                if RESTORE_AND_PUBLISH in request.POST:
                    publish(request, row)
                else:
                    messages.success(request, f"{version} is the draft again. Publish it to have it served.")
        except DefinitionError as error:
            messages.error(request, f"{version} can't be restored: {error}")
            return HttpResponseRedirect(change_url(version))
        return HttpResponseRedirect(change_url(row))

    def _compared(self, version: Version, row: Definition | None, against: str) -> dict[str, Any]:
        others = _others(version, row)
        if not others:
            return {"others": [], "changes": [], "other": ""}
        chosen = against if against in others else next(iter(others))
        title, other = others[chosen]
        found = list(islice(_changes(document.load(version.document), other), CHANGES_SHOWN + 1))
        return {
            "others": [(key, title) for key, (title, _) in others.items()],
            "against": chosen,
            "other": title,
            "changes": found[:CHANGES_SHOWN],
            "more": len(found) > CHANGES_SHOWN,
        }


def _others(version: Version, row: Definition | None) -> dict[str, tuple[str, Any]]:
    """Return what a version can be compared with: name -> title and document."""
    found: dict[str, tuple[str, Any]] = {}
    if row is not None:
        found["draft"] = ("the draft", document_of(row))
        if row.published and row.published.pk != version.pk:
            found["served"] = (
                f"version {row.published.number}, which is served",
                document.load(row.published.document),
            )
    earlier = Version.objects.filter(kind=version.kind, object_id=version.object_id, number__lt=version.number)
    if before := earlier.order_by("-number").first():
        found["before"] = (f"version {before.number}, the one before", document.load(before.document))
    return found


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[dict[str, str]]:
    # Who may see a definition is not part of its versions.
    for change in diff.changes({**old, "groups": None}, {**new, "groups": None}):
        yield {"kind": change.kind, "where": change.where, "old": _cut(change.old), "new": _cut(change.new)}


def _cut(text: str) -> str:
    shown = text if len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]}…"
    return shown.encode("utf-8", "replace").decode()
