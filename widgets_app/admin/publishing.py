"""Pages of definitions: save and publish, or save a draft; what is to be said about the draft; taking it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from widgets_app.admin.base import BackendAdmin, change_url
from widgets_app.admin.navigation import may_view
from widgets_app.admin.theme import ChangeList, action, display
from widgets_app.errors import DefinitionError
from widgets_app.manifest.contract import Finding
from widgets_app.models import Query
from widgets_app.services import states
from widgets_app.services.publishing import (
    Definition,
    NotPublished,
    definition_publish,
    definition_unpublish,
    findings_of,
    identifier_of,
    kind_of,
    with_parts,
)

SHOWN_REASONS = 5
SHOWN_FINDINGS = 25

DRAFT_BUTTON = "_draft"
FOUND = 302
SEVERITIES = {
    "error": ("error", "It is not published as long as one of these stands."),
    "warning": ("warning", "It works, but worse than it could."),
    "info": ("note", "Good to know."),
}


class PublishingAdmin(BackendAdmin):
    """A page whose buttons publish a definition, or keep the changes as its draft."""

    def definition_of(self, obj: Any) -> Definition:
        """Return the definition that the row of this page belongs to."""
        raise NotImplementedError

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Publish what was added, if that was asked for."""
        done = self._publish(request, obj)
        if IS_POPUP_VAR in request.POST:
            return super().response_add(request, obj, post_url_continue)
        return self.response_post_save_add(request, obj) if done else self._stay(obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Publish what was changed, if that was asked for."""
        done = self._publish(request, obj)
        if IS_POPUP_VAR in request.POST:
            return super().response_change(request, obj)
        return self.response_post_save_change(request, obj) if done else self._stay(obj)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Name on the buttons what they publish."""
        obj = kwargs.get("obj")
        context["publishes"] = self.model._meta.verbose_name if obj is None else self._publishes(obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def _publishes(self, obj: Any) -> str:
        return str(self.definition_of(obj)._meta.verbose_name)

    def _publish(self, request: HttpRequest, obj: Any) -> bool:
        """Publish unless only a draft was asked for; say whether the page is done with."""
        definition = self.definition_of(obj)
        if DRAFT_BUTTON in request.POST:
            served = "What is served stays as it was." if definition.published else "It is not served yet."
            messages.success(request, f"The draft of “{identifier_of(definition)}” is saved. {served}")
            return False
        return publish(request, definition) and "_continue" not in request.POST

    def _stay(self, obj: Any) -> HttpResponse:
        opts = self.opts
        return HttpResponseRedirect(reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[obj.pk]))


class DefinitionChangeList(ChangeList):
    """A list that reads what states are worked out from at once, whatever the number of rows."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """Prefetch the parts of the definitions."""
        return with_parts(super().get_queryset(request, exclude_parameters).select_related("published"))


class DefinitionAdmin(PublishingAdmin):
    """The pages of widgets, apps and queries."""

    actions: Sequence[Any] = ("publish_selected", "unpublish_selected")
    actions_detail: Sequence[str] = ("versions", "unpublish")

    def definition_of(self, obj: Any) -> Definition:
        """Return the row itself."""
        row: Definition = obj
        return row

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the list that prefetches."""
        return DefinitionChangeList

    @display(description="state")
    def state(self, obj: Any) -> SafeString:
        """Show whether it is served as it stands, and how many errors the draft has."""
        return state_labels(states.state_of(obj), imported=is_imported(obj))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show what is to be said about the draft, and its state."""
        obj = kwargs.get("obj")
        if obj is not None and request.method == "GET":
            draft = with_parts(self.model._default_manager.all()).get(pk=obj.pk)
            found = findings_of(draft)
            context["findings"] = grouped(found)
            errors = sum(finding.severity == "error" for finding in found)
            context["imported"] = is_imported(draft)
            context["state"] = state_labels(states.State(states.stage_of(draft), errors), imported=is_imported(draft))
            context["left_out"] = states.left_out(draft)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Leave "Unpublish" out where nothing is served, and "Versions" for who may not see versions."""
        rows = self.model._default_manager.filter(pk=unquote(str(object_id)), published__isnull=False)
        hidden = set() if rows.exists() else {"unpublish"}
        hidden |= set() if may_view(request, "widgets_app.version") else {"versions"}
        found: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's method
        return [each for each in found if each.method.original_function_name not in hidden]

    @action(description="Versions", url_path="versions", permissions=["view"], icon="layers")
    def versions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the versions of this definition."""
        row = self.row_or_404(request, object_id)
        chosen = urlencode({"kind__exact": kind_of(row), "object_id__exact": row.pk})
        return HttpResponseRedirect(f"{reverse('admin:widgets_app_version_changelist')}?{chosen}")

    @action(description="Unpublish", url_path="unpublish", permissions=["change"], icon="visibility_off")
    def unpublish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then serve it no more."""
        row = self.row_or_404(request, object_id)
        if request.method == "POST":
            unpublish(request, [row])
            return self._stay(row)
        text = "It will not be served any more. The draft and the versions stay, so that it can be published again."
        return self.ask(request, row, title=f"Unpublish “{identifier_of(row)}”?", text=text, button="Unpublish")

    @action(description="Publish", permissions=["change"])
    def publish_selected(self, request: HttpRequest, queryset: Any) -> None:
        """Publish the selected definitions, each on its own."""
        for row in queryset:
            publish(request, row)

    @action(description="Unpublish", permissions=["change"])
    def unpublish_selected(self, request: HttpRequest, queryset: Any) -> None:
        """Serve the selected definitions no more."""
        unpublish(request, queryset)


class PartAdmin(PublishingAdmin):
    """The full page of a row inside a definition. Rows are added and listed on the definition's own page."""

    # The way from the row to its definition, and the list in which definitions of that kind are found.
    owner: tuple[str, ...] = ()
    listed_as = "widget"

    def definition_of(self, obj: Any) -> Definition:
        """Follow the way to the definition."""
        for name in self.owner:
            obj = getattr(obj, name)
        row: Definition = obj
        return row

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Stay out of lists of models."""
        return {}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Say no: rows are added inside their definition."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Go to the list of the definitions, which is where the rows are found."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse(f"admin:widgets_app_{self.listed_as}_changelist"))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Offer the way back."""
        if (obj := kwargs.get("obj")) is not None:
            around = self._around(obj)
            context["part_of"] = {"url": change_url(around), "title": f"{around._meta.verbose_name} {around}"}
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Go back to what the row is part of."""
        return HttpResponseRedirect(change_url(self._around(obj)))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Go back to what the row was part of."""
        row = self.get_object(request, unquote(object_id))
        back = change_url(self._around(row)) if row is not None else ""
        response = super().delete_view(request, object_id, extra_context)
        return HttpResponseRedirect(back) if back and response.status_code == FOUND else response

    def _around(self, obj: Any) -> Any:
        """Return what the row is directly part of."""
        return getattr(obj, self.owner[0])


def publish(request: HttpRequest, row: Definition) -> bool:
    """Publish a draft and say how it went; a draft that may not be served stays a draft."""
    before = row.published_id
    try:
        version = definition_publish(row, author=request.user)  # type: ignore[arg-type]  # signed in
    except NotPublished as error:
        messages.error(request, _reasons(identifier_of(row), error.findings))
    except DefinitionError as error:
        messages.error(request, f"“{identifier_of(row)}” is saved, but was not published: {error}")
    else:
        same = "has not changed since" if version.pk == before else "is published as"
        messages.success(request, f"“{identifier_of(row)}” {same} version {version.number}.")
        return True
    return False


def unpublish(request: HttpRequest, rows: Iterable[Definition]) -> None:
    """Take definitions back and say how it went."""
    for row in rows:
        try:
            definition_unpublish(row)
        except DefinitionError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"“{identifier_of(row)}” is not served any more.")


def _reasons(name: str, findings: Sequence[Finding]) -> SafeString:
    shown = findings[:SHOWN_REASONS]
    rows = format_html_join("", "<li>{} {}</li>", ((finding.message, finding.fix) for finding in shown))
    more = f"And {len(findings) - len(shown)} more, listed on its page." if len(findings) > len(shown) else ""
    text = "“{}” is saved as a draft, but was not published:<ul class='wb-reasons'>{}</ul>{}"
    return format_html(text, name, rows, more)


def grouped(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings by severity, each group with its heading; `more` counts those beyond the limit."""
    groups = []
    for severity, found in groupby(findings, key=lambda finding: finding.severity):
        group = list(found)
        noun, heading = SEVERITIES[severity]
        shown, more = group[:SHOWN_FINDINGS], len(group) - SHOWN_FINDINGS
        title = f"{len(group)} {noun}{'s' if len(group) > 1 else ''}"
        groups.append({"severity": severity, "title": title, "heading": heading, "shown": shown, "more": more})
    return groups


STAGES = {"published": "Published", "changed": "Changed", "draft": "Draft"}


def state_labels(state: states.State, *, imported: bool = False) -> SafeString:
    """Return the labels of a state, and of where a definition came from."""
    labels: list[tuple[str, str]] = [(state.stage, STAGES[state.stage])]
    if imported:
        labels.append(("imported", "Imported"))
    if state.errors:
        labels.append(("errors", "1 error" if state.errors == 1 else f"{state.errors} errors"))
    return format_html_join(" ", '<span class="wb-label wb-{}">{}</span>', labels)


def is_imported(row: Definition) -> bool:
    """Say whether a definition came from elsewhere; queries have no manifest to come from."""
    return not isinstance(row, Query) and row.imported
