"""Imports: planned and done in one transaction, one at a time, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import DataError, IntegrityError, transaction
from django.db.models import ProtectedError

from widgets_app.errors import DefinitionError
from widgets_app.manifest import reading
from widgets_app.manifest.diff import Change, changes
from widgets_app.manifest.modernise import modernise_agent, modernise_app, modernise_widget
from widgets_app.models import Placement, Revision
from widgets_app.services.bundles.bundle import Bundle, Document
from widgets_app.services.bundles.findings import bundle_findings
from widgets_app.services.bundles.planning import OnConflict, Plan, Step, moved_kinds, steps_of
from widgets_app.services.findings import published_definitions
from widgets_app.services.ordering import definitions_reorder
from widgets_app.services.publishing import definitions_publish
from widgets_app.services.sources import SECRETS, source_save, upstream_document

# Widgets that are written together: enough to be fast, few enough to show progress.
CHUNK = 100
LOCK = "import"
SHOWN_CONFLICTS = 5

# Kind, name and changes of something that was modernised.
Rewritten = tuple[str, str, tuple[Change, ...]]
Progress = Callable[[int, int], None]
# In this order each kind finds what it refers to. Widgets are read many at once.
READERS: Mapping[str, Any] = {
    "query": reading.read_query,
    "widget": None,
    "app": reading.read_app,
    "agent": reading.read_agent,
}


@dataclass(frozen=True)
class Options:
    """How a bundle is to be imported. `upstream` is an address, `headers` are its own; both may be left out."""

    upstream: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    private_hosts: tuple[str, ...] = ()
    on_conflict: OnConflict = "fail"
    modernise: bool = False
    prune: bool = False
    author: User | None = None
    note: str = "Imported"


class ImportRefused(DefinitionError):
    """An import that would overwrite what is here, or publish what may not be published; `plan` says what."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(f"Nothing was imported: {self._reason(plan)}")
        self.plan = plan

    def _reason(self, plan: Plan) -> str:
        if not plan.conflicts:
            first = plan.errors[0]
            return f"{first.file}: {first.kind} {first.name}: {first.finding.message} {first.finding.fix}"
        names = [f'{step.kind} "{step.name}"' for step in plan.conflicts]
        shown = ", ".join(names[:SHOWN_CONFLICTS])
        more = f" and {len(names) - SHOWN_CONFLICTS} more" if len(names) > SHOWN_CONFLICTS else ""
        return f"{shown}{more} would be changed. Choose to replace or to skip what is here already."


def bundle_plan(bundle: Bundle, options: Options) -> Plan:
    """Return what an import would do, conflicts included. Raises DefinitionError for what can't be imported at all."""
    return _planned(bundle, options, lock=False)


def _planned(bundle: Bundle, options: Options, *, lock: bool) -> Plan:
    bundle, modernised = _modernised(bundle) if options.modernise else (bundle, ())
    bundle = _with_upstream(bundle, options)
    steps = steps_of(bundle, on_conflict=options.on_conflict, prune=options.prune, lock=lock)
    return Plan(steps, tuple(bundle_findings(bundle, steps)), moved_kinds(steps), modernised)


@transaction.atomic
def bundle_import(
    bundle: Bundle,
    options: Options,
    *,
    check: Callable[[Plan], None] = lambda plan: None,
    progress: Progress = lambda done, total: None,
) -> Plan:
    """Import a bundle and publish it, all or nothing; return what was done.

    Raises ImportRefused for conflicts, DefinitionError for anything else in the way, and whatever `check` raises, which
    is shown the plan before anything is done; nothing is changed then.
    """
    # Two imports at once take turns: the second one sees what the first has made.
    Revision.objects.get_or_create(name=LOCK)
    Revision.objects.select_for_update().get(name=LOCK)
    plan = _planned(bundle, options, lock=True)
    if plan.conflicts or plan.errors:
        raise ImportRefused(plan)
    check(plan)
    _Import(plan, options, progress).run()
    return plan


def _modernised(bundle: Bundle) -> tuple[Bundle, tuple[Rewritten, ...]]:
    """Return the bundle with its old spellings rewritten, and the changes by kind and name."""
    widgets = [{**old, "definition": modernise_widget(old["id"], old["definition"])} for old in bundle.widgets]
    known = {**published_definitions(), **{document["id"]: document["definition"] for document in widgets}}
    apps = [{**old, "app": modernise_app(old["app"], known)} for old in bundle.apps]
    agents = [{**old, "agent": modernise_agent(old["agent"])} for old in bundle.agents]
    rewritten = (
        *(
            ("widget", str(old["id"]), tuple(changes(old, new)))
            for old, new in zip(bundle.widgets, widgets, strict=True)
        ),
        *(("app", _title(old["app"]), tuple(changes(old, new))) for old, new in zip(bundle.apps, apps, strict=True)),
        *(("agent", str(old["id"]), tuple(changes(old, new))) for old, new in zip(bundle.agents, agents, strict=True)),
    )
    return replace(bundle, widgets=widgets, apps=apps, agents=agents), tuple(each for each in rewritten if each[2])


def _title(app: Document) -> str:
    return str(app.get("name") or "without a name")


def _with_upstream(bundle: Bundle, options: Options) -> Bundle:
    """Have the entries of other backends answered by the upstream, if one is given."""
    if not options.upstream:
        return bundle
    source = upstream_document(options.upstream, private_hosts=list(options.private_hosts))
    if options.headers:
        source[SECRETS] = {"headers": dict(options.headers)}
    return replace(
        bundle,
        sources=[*bundle.sources, source],
        widgets=[_fed(document, {"upstream": source["name"], "feeds": {}}) for document in bundle.widgets],
        agents=[_fed(document, {"upstream": source["name"]}) for document in bundle.agents],
    )


def _fed(document: Document, fed: Document) -> Document:
    """Return a document whose requests go to the upstream; one of our own exports says itself where its data is."""
    return document if "upstream" in document else {**document, **fed}


class _Import:
    """One import being done."""

    def __init__(self, plan: Plan, options: Options, progress: Progress) -> None:
        self.plan, self.options, self.progress = plan, options, progress
        self.total, self.done = sum(step.acts for step in plan.steps), 0
        self.rows: dict[tuple[str, str], Any] = {(step.kind, step.name): step.row for step in plan.steps if step.row}

    def run(self) -> None:
        """Do every step, and put things into the bundle's order."""
        for step in self._steps("group"):
            self._count(Group.objects.create(name=step.name), step)
        for step in self._steps("source"):
            self._source(step)
        for kind, read in READERS.items():
            for chunk in _chunks(self._steps(kind), CHUNK):
                self._write(chunk, read)
            if kind == "widget":
                self._link_placements()
        for step in self._steps("remove"):
            self._remove(step)
        for kind in ("widget", "app", "agent"):
            if kind in self.plan.moved:
                self._order(kind)

    def _steps(self, kind: str) -> list[Step]:
        """Return the steps of a kind that change something; removals are a kind of their own."""
        acting = [step for step in self.plan.steps if step.acts]
        return [step for step in acting if ("remove" if step.action == "remove" else step.kind) == kind]

    def _count(self, row: Any, *steps: Step) -> None:
        for step in steps:
            self.rows[(step.kind, step.name)] = row
        self.done += len(steps)
        self.progress(self.done, self.total)

    def _source(self, step: Step) -> None:
        self._count(source_save(step.document, step.row, secrets=step.document.get(SECRETS)), step)

    def _write(self, steps: Sequence[Step], read: Any) -> None:
        """Write the rows of some definitions, and publish them."""
        wanted = [step for step in steps if step.action != "publish"]
        for step, row in zip(wanted, self._read(wanted, read), strict=True):
            self._groups(step, row)
            self.rows[(step.kind, step.name)] = row
        published = [step for step in steps if step.document.get("published", True)]
        definitions_publish(
            [self.rows[(step.kind, step.name)] for step in published],
            author=self.options.author,
            note=self.options.note,
            strict=False,
        )
        self.done += len(steps)
        self.progress(self.done, self.total)

    def _read(self, steps: Sequence[Step], read: Any) -> list[Any]:
        pairs = [(step.document, step.row) for step in steps]
        try:
            return reading.read_widgets(pairs) if read is None else [read(document, row) for document, row in pairs]
        except (IntegrityError, DataError) as error:
            names = ", ".join(f'"{step.name}"' for step in steps[:SHOWN_CONFLICTS])
            raise DefinitionError(f"{steps[0].kind} {names}: the database refuses it: {error}") from error

    def _groups(self, step: Step, row: Any) -> None:
        """Let those see a changed definition whom the bundle names."""
        if step.row is not None and any(change.where.startswith("groups") for change in step.changes):
            row.groups.set(Group.objects.filter(name__in=step.document["groups"]))

    def _link_placements(self) -> None:
        """Link places of apps that named a widget before it was there."""
        made = {step.name: self.rows[("widget", step.name)] for step in self._steps("widget") if step.action == "add"}
        places = list(Placement.objects.filter(widget=None, widget_id_text__in=made))
        for place in places:
            place.widget = made[place.widget_id_text or ""]
        Placement.objects.bulk_update(places, ["widget"], batch_size=500)

    def _remove(self, step: Step) -> None:
        try:
            step.row.delete()
        except ProtectedError as error:
            users = ", ".join(sorted({str(row) for row in error.protected_objects})[:SHOWN_CONFLICTS])
            raise DefinitionError(f'{step.kind} "{step.name}" can\'t be removed: {users} needs it.') from None
        self.done += 1
        self.progress(self.done, self.total)

    def _order(self, kind: str) -> None:
        rows = [
            self.rows[(step.kind, step.name)]
            for step in self.plan.steps
            if step.kind == kind and step.action != "remove"
        ]
        definitions_reorder(type(rows[0]), [row.pk for row in rows])


def _chunks(steps: Sequence[Step], size: int) -> Iterable[Sequence[Step]]:
    return (steps[start : start + size] for start in range(0, len(steps), size))
