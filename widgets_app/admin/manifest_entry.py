"""What the pages of widgets, apps and agents have in common: all are entries of a manifest."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from widgets_app.admin.exporting import ExportAdmin
from widgets_app.admin.modernising import ModerniseAdmin
from widgets_app.admin.ordering import DraggedList
from widgets_app.admin.publishing import DefinitionAdmin
from widgets_app.admin.theme import display
from widgets_app.models import Source
from widgets_app.models.manifest_entry import ManifestEntry
from widgets_app.services.sources import UPSTREAM_KIND


class ManifestEntryAdmin(DraggedList, ExportAdmin, ModerniseAdmin, DefinitionAdmin):
    """Pages of what is listed in an order, for some groups or for everybody."""

    ordering = ("position", "pk")
    actions = (*DefinitionAdmin.actions, "modernise_selected", "export_selected")

    @display(description="visible to")
    def visible_to(self, obj: ManifestEntry) -> str:
        """Return the groups that may see it."""
        return ", ".join(sorted(group.name for group in obj.groups.all())) or "everybody"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let only backends be upstreams."""
        if db_field.name == "upstream":
            kwargs["queryset"] = Source.objects.filter(kind=UPSTREAM_KIND)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
