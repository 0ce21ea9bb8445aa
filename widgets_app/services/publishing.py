"""Publishing, taking back and restoring: the only writers of Versions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Max

from widgets_app.compiled import local_path
from widgets_app.errors import DefinitionError
from widgets_app.manifest import document, reading
from widgets_app.manifest.apps import APP_CHILDREN, app_document
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.widgets import WIDGET_CHILDREN, query_document, widget_document
from widgets_app.models import App, Query, Version, Widget
from widgets_app.services import findings

Definition = Widget | App | Query

# Characters of an id that a copy's id begins with.
ID_STEM = 200


class NotPublished(DefinitionError):
    """A draft that may not be served; `findings` are the reasons."""

    def __init__(self, what: str, reasons: Sequence[Finding]) -> None:
        first = reasons[0]
        more = f" And {len(reasons) - 1} more." if len(reasons) > 1 else ""
        super().__init__(f"{what} was not published: {first.message} {first.fix}{more}")
        self.findings = reasons


@transaction.atomic
def definition_publish(row: Definition, *, author: User | None = None, note: str = "", strict: bool = True) -> Version:
    """Make the draft what is served. An unchanged draft makes no new version.

    With `strict`, every error of the contract refuses it (NotPublished); otherwise it is published as it is.
    """
    row = with_parts(type(row)._default_manager.select_for_update()).get(pk=row.pk)
    if strict:
        _refuse_errors(row)
    if isinstance(row, Widget):
        _publish_queries(row, author)
    text = document.dump_version(document_of(row))
    if row.published and not is_changed(row):
        return row.published
    _refuse_taken(row)
    row.published = Version.objects.create(
        kind=kind_of(row),
        object_id=row.pk,
        identifier=identifier_of(row),
        number=_last_number(row) + 1,
        document=text,
        author=author,
        note=note,
    )
    row.save(update_fields=["published", "updated_at"])
    return row.published


@transaction.atomic
def definition_unpublish(row: Definition) -> None:
    """Serve it no more; the draft and the versions stay. Raises DefinitionError while others need it."""
    if isinstance(row, Query) and (feed := row.feeds.filter(widget__published__isnull=False).first()):
        raise DefinitionError(f"The published widget {feed.widget} shows this query. Unpublish the widget first.")
    row.published = None
    row.save(update_fields=["published", "updated_at"])


@transaction.atomic
def version_restore(version: Version) -> Definition:
    """Make a version the draft again; of a deleted definition too. It is served once it is published.

    Raises DefinitionError when something that it refers to is gone.
    """
    model, read = _READERS[version.kind]
    row = model.objects.filter(pk=version.object_id).first()
    try:
        with transaction.atomic():
            restored: Definition = read(document.load(version.document), row)
    except IntegrityError:
        raise DefinitionError(
            f'Another {version.kind} is called "{version.identifier}" by now. Rename or delete it first.'
        ) from None
    if row is None:
        Version.objects.filter(kind=version.kind, object_id=version.object_id).update(object_id=restored.pk)
    return restored


@transaction.atomic
def widget_duplicate(widget: Widget) -> Widget:
    """Make a copy of a widget's draft under a free id, with an endpoint of its own. The copy is a draft."""
    copy = widget_document(widget)
    copy["id"] = _free_id(widget.widget_id)
    definition = copy["definition"]
    if name := definition.get("name"):
        definition["name"] = f"{name} (copy)"
    if local_path(definition.get("endpoint")):
        definition["endpoint"] = copy["id"]
    return reading.read_widget(copy)


def _free_id(widget_id: str) -> str:
    stem = f"{widget_id[:ID_STEM]}_copy"
    taken = set(Widget.objects.filter(widget_id__startswith=stem).values_list("widget_id", flat=True))
    return next(free for free in chain([stem], (f"{stem}_{number}" for number in count(2))) if free not in taken)


def versions_of(row: Definition) -> Any:
    """Return the versions of a definition, newest first."""
    return Version.objects.filter(kind=kind_of(row), object_id=row.pk)


def with_parts(rows: Any) -> Any:
    """Return a queryset of definitions that reads all that their documents are made of at once."""
    return rows.prefetch_related(*_PARTS[rows.model])


def document_of(row: Definition) -> dict[str, Any]:
    """Return the draft as a document."""
    if isinstance(row, Widget):
        return widget_document(row)
    return app_document(row) if isinstance(row, App) else query_document(row)


def findings_of(row: Definition) -> list[Finding]:
    """Return what is to be said about the draft."""
    if isinstance(row, Widget):
        return findings.widget_findings(row)
    return findings.app_findings(row) if isinstance(row, App) else findings.query_findings(row)


def is_changed(row: Definition) -> bool:
    """Say whether the draft differs from what is served."""
    if row.published is None:
        return True
    # Who may see it isn't part of the draft: it counts as soon as it is saved.
    served = {**document.load(row.published.document), "groups": None}
    return document.dump_version(served) != document.dump_version({**document_of(row), "groups": None})


def kind_of(row: Definition) -> str:
    """Return the kind of Version that a definition has."""
    return row._meta.model_name or ""


def identifier_of(row: Definition) -> str:
    """Return the name under which a definition is known outside."""
    if isinstance(row, Widget):
        return row.widget_id
    return row.slug if isinstance(row, App) else row.name


def _refuse_errors(row: Definition) -> None:
    errors = [finding for finding in findings_of(row) if finding.severity == "error"]
    if errors:
        raise NotPublished(f"{str(row._meta.verbose_name).capitalize()} {identifier_of(row)}", errors)


def _publish_queries(widget: Widget, author: User | None) -> None:
    """Publish the queries that the widget needs and that were never published."""
    shown = Query.objects.filter(feeds__widget=widget, published=None)
    chosen = Query.objects.filter(option_parameters__widget=widget, published=None)
    for query in {*shown, *chosen}:
        definition_publish(query, author=author, note=f"With the widget {widget.widget_id}")


def _refuse_taken(row: Definition) -> None:
    """Refuse an id under which another definition, renamed since, is still served."""
    others = type(row)._default_manager.exclude(pk=row.pk).filter(published__identifier=identifier_of(row))
    if other := others.first():
        raise DefinitionError(
            f'"{identifier_of(row)}" is still served as an earlier name of {other}. Publish {other} first.'
        )


def _last_number(row: Definition) -> int:
    return versions_of(row).aggregate(last=Max("number"))["last"] or 0


# What the documents of a definition are written from, besides its own row.
_PARTS: dict[Any, tuple[str, ...]] = {Widget: WIDGET_CHILDREN, App: APP_CHILDREN, Query: ("choices", "source")}

_READERS: dict[str, tuple[Any, Any]] = {
    Version.Kind.WIDGET: (Widget, reading.read_widget),
    Version.Kind.APP: (App, reading.read_app),
    Version.Kind.QUERY: (Query, reading.read_query),
}
