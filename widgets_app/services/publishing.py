"""Publishing, taking back and restoring: the only writers of Versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, count
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Max, prefetch_related_objects
from django.utils import timezone

from widgets_app.compiled import local_path
from widgets_app.errors import DefinitionError
from widgets_app.manifest import contract, document, reading
from widgets_app.manifest.agents import AGENT_CHILDREN, agent_document
from widgets_app.manifest.apps import APP_CHILDREN, app_document
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.widgets import WIDGET_CHILDREN, query_document, widget_document
from widgets_app.models import Agent, App, Query, Version, Widget
from widgets_app.parameters.types import flatten
from widgets_app.services import findings

Definition = Widget | App | Agent | Query

# Characters of an id that a copy's id begins with.
ID_STEM = 200
# Rows that one statement updates.
BATCH = 500


class NotPublished(DefinitionError):
    """A draft that may not be served; `findings` are the reasons."""

    def __init__(self, what: str, reasons: Sequence[Finding]) -> None:
        first = reasons[0]
        more = f" And {len(reasons) - 1} more." if len(reasons) > 1 else ""
        super().__init__(f"{what} was not published: {first.message} {first.fix}{more}")
        self.findings = reasons


def definition_publish(row: Definition, *, author: User | None = None, note: str = "", strict: bool = True) -> Version:
    """Make one draft what is served, as `definitions_publish` does; return its version, an old one if unchanged."""
    return definitions_publish([row], author=author, note=note, strict=strict)[0]


@transaction.atomic
def definitions_publish(
    rows: Sequence[Definition], *, author: User | None = None, note: str = "", strict: bool = True
) -> list[Version]:
    """Make drafts of one kind what is served; return their versions, which for an unchanged draft is the old one.

    With `strict`, every error of the contract refuses all of them (NotPublished); otherwise they are published as
    they are.
    """
    if not rows:
        return []
    model: Any = type(rows[0])
    found = (
        model._default_manager.select_for_update(of=("self",))
        .select_related("published")
        .in_bulk([row.pk for row in rows])
    )
    drafts: list[Any] = [found[row.pk] for row in rows]
    prefetch_related_objects(drafts, *_PARTS[model])
    if strict:
        _refuse_errors(drafts)
    if model is Widget:
        _publish_queries(drafts, author)
    changed = [row for row in drafts if row.published is None or is_changed(row)]
    _refuse_taken(model, changed)
    _publish_changed(model, changed, author=author, note=note)
    return [row.published for row in drafts]


def _publish_changed(model: Any, rows: Sequence[Any], *, author: User | None, note: str) -> None:
    numbers = _last_numbers(model, rows)
    versions = [
        Version(
            kind=kind_of(row),
            object_id=row.pk,
            identifier=identifier_of(row),
            number=numbers.get(row.pk, 0) + 1,
            document=document.dump_version(document_of(row)),
            author=author,
            note=note,
        )
        for row in rows
    ]
    now = timezone.now()
    for row, version in zip(rows, Version.objects.bulk_create(versions), strict=True):
        row.published, row.updated_at = version, now
    model._default_manager.bulk_update(rows, ["published", "updated_at"], batch_size=BATCH)


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
    """Make a copy of a widget's draft under a free id. The copy is a draft.

    It has an endpoint, and forms with paths, of its own, unless an upstream answers it: that only knows its own paths.
    """
    copy = widget_document(widget)
    copy["id"] = _free_id(widget.widget_id)
    definition = copy["definition"]
    if name := definition.get("name"):
        definition["name"] = f"{name} (copy)"
    if not widget.upstream_id and local_path(definition.get("endpoint")):
        definition["endpoint"] = copy["id"]
    for param in flatten(definition.get("params")):
        if param.get("paramName") in copy.get("forms", {}):
            param["endpoint"] = f"{copy['id']}/{param['paramName']}"
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
    write: Any = _WRITERS[type(row)]
    written: dict[str, Any] = write(row)
    return written


def findings_of(row: Definition) -> list[Finding]:
    """Return what is to be said about the draft. On an imported one, only what breaks its entry is an error."""
    look: Any = _FINDINGS[type(row)]
    found: list[Finding] = look(row)
    imported = not isinstance(row, Query) and row.imported
    return findings.in_order(contract.as_imported(found)) if imported else found


def is_changed(row: Definition, *, draft: dict[str, Any] | None = None) -> bool:
    """Say whether the draft, which may be given as it is written already, differs from what is served."""
    if row.published is None:
        return True
    # Who may see it isn't part of the draft: it counts as soon as it is saved.
    served = {**document.load(row.published.document), "groups": None}
    return document.dump_version(served) != document.dump_version({**(draft or document_of(row)), "groups": None})


def kind_of(row: Definition) -> str:
    """Return the kind of Version that a definition has."""
    return row._meta.model_name or ""


def identifier_of(row: Definition) -> str:
    """Return the name under which a definition is known outside."""
    if isinstance(row, Widget):
        return row.widget_id
    if isinstance(row, Agent):
        return row.agent_id
    return row.slug if isinstance(row, App) else row.name


def _refuse_errors(rows: Iterable[Definition]) -> None:
    for row in rows:
        errors = [finding for finding in findings_of(row) if finding.severity == "error"]
        if errors:
            raise NotPublished(f"{str(row._meta.verbose_name).capitalize()} {identifier_of(row)}", errors)


def _publish_queries(widgets: Sequence[Widget], author: User | None) -> None:
    """Publish the queries that widgets need and that were never published."""
    shown = Query.objects.filter(feeds__widget__in=widgets, published=None)
    chosen = Query.objects.filter(option_parameters__widget__in=widgets, published=None)
    needed = sorted({*shown, *chosen}, key=lambda query: query.name)
    definitions_publish(needed, author=author, note="With a widget that needs it")


def _refuse_taken(model: Any, rows: Sequence[Definition]) -> None:
    """Refuse an id under which another definition, renamed since, is still served."""
    others = model._default_manager.exclude(pk__in=[row.pk for row in rows])
    if other := others.filter(published__identifier__in=[identifier_of(row) for row in rows]).first():
        raise DefinitionError(
            f'"{other.published.identifier}" is still served as an earlier name of {other}. Publish {other} first.'
        )


def _last_numbers(model: Any, rows: Sequence[Definition]) -> dict[int, int]:
    versions = Version.objects.filter(kind=model._meta.model_name, object_id__in=[row.pk for row in rows])
    return dict(versions.values_list("object_id").annotate(Max("number")))


# What the documents of a definition are written from, besides its own row.
_PARTS: dict[Any, tuple[str, ...]] = {
    Widget: WIDGET_CHILDREN,
    App: APP_CHILDREN,
    Agent: AGENT_CHILDREN,
    Query: ("choices", "source"),
}

_READERS: dict[str, tuple[Any, Any]] = {
    Version.Kind.WIDGET: (Widget, reading.read_widget),
    Version.Kind.APP: (App, reading.read_app),
    Version.Kind.AGENT: (Agent, reading.read_agent),
    Version.Kind.QUERY: (Query, reading.read_query),
}
_WRITERS: dict[Any, Any] = {
    Widget: widget_document,
    App: app_document,
    Agent: agent_document,
    Query: query_document,
}
_FINDINGS: dict[Any, Any] = {
    Widget: findings.widget_findings,
    App: findings.app_findings,
    Agent: findings.agent_findings,
    Query: findings.query_findings,
}
