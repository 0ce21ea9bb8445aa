"""Pages of a source that test it, and that show its tables and what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.text import slugify

from widgets_app.admin.base import BackendAdmin, change_url
from widgets_app.admin.running import table_of
from widgets_app.admin.theme import action
from widgets_app.errors import Busy, DefinitionError, RequestError
from widgets_app.models import Source
from widgets_app.services import exploring
from widgets_app.services.exploring import Taken
from widgets_app.sources.base import Step, Table

STEPS = "admin/widgets_app/source_steps.html"
CELL_SHOWN = 100  # characters of one cell
SEARCH_LENGTH = 200
MADE_NAME = 80  # characters of a suggested name


class ExploreSource(BackendAdmin):
    """Adds the test of a source, and the page of its tables."""

    def get_urls(self) -> Any:
        """Add the address of the test: of what is saved, or of what stands in the form and is not saved yet."""
        page = self.admin_site.admin_view(self.test)
        return [
            path("test/", page, name="widgets_app_source_test_new"),
            path("<path:object_id>/test/", page, name="widgets_app_source_test"),
            *super().get_urls(),
        ]

    def has_explore_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say whether the user may see data of sources: who may write queries, or change sources, can anyway."""
        writes = [f"widgets_app.{verb}_query" for verb in ("add", "change")]
        may_write = any(map(request.user.has_perm, writes)) and self.has_view_permission(request)
        return may_write or self.has_change_permission(request)

    def test(self, request: HttpRequest, object_id: str = "") -> HttpResponse:
        """Test a source, and show the steps: as a page, or, for a script, as a part of one."""
        source = self.row_or_404(request, object_id) if object_id else None
        may_test = self.has_change_permission(request, source) if source else self.has_add_permission(request)
        if not may_test:
            raise PermissionDenied
        taken = self._tested(request, source) if request.method == "POST" else []
        if "part" in request.GET:
            return self.page(request, STEPS, source, taken=taken)
        back = change_url(source) if source else reverse("admin:widgets_app_source_changelist")
        title = f"Test of {source}" if source else "Test of a new source"
        return self.page(request, "admin/widgets_app/source_test.html", source, title=title, back=back, taken=taken)

    def _tested(self, request: HttpRequest, source: Source | None) -> list[Taken]:
        try:
            exploring.count_test(request.user.get_username())
        except Busy as error:
            return [Taken(Step("Test", str(error), "bad"))]
        if "name" not in request.POST:
            return exploring.source_test(source) if source else []
        # No file: the form would take it in.
        form = self.get_form(request, source, change=source is not None)(request.POST, instance=source)
        if not form.is_valid():
            return [_fault(form, name, map(str, texts)) for name, texts in form.errors.items()]
        return exploring.source_test(form.instance)

    @action(description="Explore", url_path="explore", permissions=["explore"], icon="table_view")
    def explore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """List the tables that have a text in their names, and show what is in one of them."""
        source = self.row_or_404(request, object_id)
        search, name = request.GET.get("q", "")[:SEARCH_LENGTH].strip(), request.GET.get("table", "")
        context: dict[str, Any] = {"title": f"Explore {source}", "back": change_url(source), "search": search}
        try:
            if name:
                context |= _shown(source, name, request)
            else:
                listing = exploring.source_tables(source, search)
                context |= {"tables": [(table, _link(search, table.name)) for table in listing.tables]}
                context |= {"is_cut": listing.is_cut, "most": exploring.TABLES_SHOWN, "none": listing.none}
        except (DefinitionError, RequestError) as error:
            context["problem"] = str(error)
        return self.page(request, "admin/widgets_app/source_explore.html", source, **context)


def _fault(form: Any, name: str, texts: Iterable[str]) -> Taken:
    label = form.fields[name].label or name if name in form.fields else "Settings"
    return Taken(Step(str(label).capitalize(), " ".join(texts), "bad"))


def _link(search: str, name: str) -> str:
    return f"?{urlencode({'q': search, 'table': name} if search else {'table': name})}"


def _shown(source: Source, name: str, request: HttpRequest) -> dict[str, Any]:
    look = exploring.source_look(source, name)
    shown: dict[str, Any] = {"table": look.table, "columns": look.columns, "columns_cut": look.is_cut}
    if request.user.has_perm("widgets_app.add_query"):
        shown["query_url"] = _query_url(source, look.table)
    if look.sample is not None:
        shown |= table_of(look.sample, cell=CELL_SHOWN) | {"sample": look.sample}
    return shown


def _query_url(source: Source, table: Table) -> str:
    """Return the address of the page that adds a query, filled in with one that reads a table."""
    name = slugify(f"{source.name}-{table.name}".replace(".", "-"))[:MADE_NAME].strip("-")
    filled = urlencode({"name": name, "source": str(source.pk), "text": table.text})
    return f"{reverse('admin:widgets_app_query_add')}?{filled}"
