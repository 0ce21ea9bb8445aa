"""Definitions as files to download: everything, or what is selected in a list."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from widgets_app.admin.base import BackendAdmin
from widgets_app.admin.navigation import may_export
from widgets_app.admin.theme import action
from widgets_app.services.bundles import Selection, bundle_export, zipped

ARCHIVE = "bundle.zip"


def selected(model: Any, rows: Any) -> Selection:
    """Return the selection that a list of widgets, apps or agents stands for."""
    return Selection(**{f"{model._meta.model_name}s": frozenset(rows.values_list("pk", flat=True))})


class ExportAdmin(BackendAdmin):
    """A list whose rows can be taken out as files."""

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Say whether the user may see all that goes with them."""
        return may_export(request)

    @action(description="Export as files", permissions=["export"])
    def export_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """Download the selected definitions as they are edited, with what they need."""
        return _download(bundle_export(everything=True, only=selected(self.model, queryset)))


def page(request: HttpRequest) -> HttpResponse:
    """Download everything that is here, drafts too."""
    if not may_export(request):
        raise PermissionDenied
    return _download(bundle_export(everything=True))


def _download(files: dict[str, bytes]) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{ARCHIVE}"', "Cache-Control": "no-store"}
    return HttpResponse(zipped(files), content_type="application/zip", headers=headers)
