"""What is to be said about many definitions at once: of a bundle on its way in, or of all that is here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from widgets_app.compiled import effective_type, local_path
from widgets_app.manifest import contract
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.endpoints import is_absolute
from widgets_app.manifest.contract.findings import show
from widgets_app.manifest.modernise import MODERNISED
from widgets_app.models import Agent, App, Query, Widget
from widgets_app.services.bundles.bundle import AGENTS, APPS, WIDGETS, Bundle, Document, Reported
from widgets_app.services.bundles.planning import Step
from widgets_app.services.findings import key_parameter_findings, look_finding, published_definitions
from widgets_app.services.publishing import document_of, with_parts
from widgets_app.shapes.registry import shape_for

RANK = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Group:
    """All findings of one kind; the first one stands for them."""

    code: str
    findings: tuple[Reported, ...]

    @property
    def first(self) -> Finding:
        """The finding that stands for all of them."""
        return self.findings[0].finding

    @property
    def modernised(self) -> bool:
        """Say whether modernising takes care of it."""
        return self.code in MODERNISED

    @property
    def names(self) -> list[str]:
        """The definitions that it is about, each once."""
        return list(dict.fromkeys(f"{found.kind} {found.name}" for found in self.findings))


Look = tuple[str, Mapping[str, str], Mapping[str, Any], object]
# What answers at a path, in words, and what it looks like, if it is a widget.
Taken = tuple[str, Look | None]


@dataclass(frozen=True)
class _Known:
    """What is here already, for definitions that refer to it or get into its way."""

    widgets: Mapping[str, Any]
    agents: frozenset[str]
    paths: Mapping[str, Taken]


def grouped(findings: Iterable[Reported]) -> list[Group]:
    """Return findings by what is wrong: errors first, then what there is most of."""
    groups: dict[tuple[str, str], list[Reported]] = {}
    for found in findings:
        groups.setdefault((found.finding.severity, found.finding.code), []).append(found)
    ranked = sorted(groups.items(), key=lambda item: (RANK[item[0][0]], -len(item[1]), item[0][1]))
    return [Group(code, tuple(found)) for (_, code), found in ranked]


def bundle_findings(bundle: Bundle, steps: Sequence[Step]) -> Iterator[Reported]:
    """Yield what is to be said about the definitions of a bundle, given what each step would make of them."""
    documents = {
        kind: [step.document for step in steps if step.kind == kind and step.action != "remove"] for kind in KINDS
    }
    acting = {(step.kind, step.name) for step in steps if step.acts}
    yield from bundle.left_out
    for found in _findings(documents, bundle.files, _known(but=documents["widget"])):
        # What stays as it is may have got an error since it was published.
        yield found if (found.kind, found.name) in acting else replace(found, blocks=False)


def backend_findings() -> Iterator[Reported]:
    """Yield what is to be said about the drafts of everything that is here."""
    documents = {kind: [document_of(row) for row in with_parts(model.objects.all())] for kind, model in KINDS.items()}
    yield from _findings(documents, {}, _known(but=documents["widget"]))


KINDS: Mapping[str, Any] = {"widget": Widget, "app": App, "agent": Agent}
FILES = {"widget": WIDGETS, "app": APPS, "agent": AGENTS}


def _known(but: Iterable[Document]) -> _Known:
    """Return what is here besides some widgets."""
    named = {document["id"] for document in but}
    others = with_parts(Widget.objects.exclude(widget_id__in=named).exclude(endpoint=None))
    options = Query.objects.values_list("options_path", "name")
    paths: dict[str, Taken] = {path: (f"the options of the query {name}", None) for path, name in options}
    for other in others:
        if path := local_path(other.endpoint):
            paths[path] = (f"the widget {other.widget_id}", _look(document_of(other)))
    return _Known(published_definitions(), frozenset(Agent.objects.values_list("agent_id", flat=True)), paths)


def _look(document: Document) -> Look:
    """Return what widgets on one path have in common, since one answer has to do for all of them."""
    if upstream := document.get("upstream"):
        return str(upstream), {}, {}, None
    definition = document["definition"]
    data = definition.get("data")
    key = data.get("dataKey") if isinstance(data, dict) else None
    shape = type(shape_for(effective_type(definition))).__name__
    return shape, document.get("feeds") or {}, document.get("shape") or {}, key


def _findings(
    documents: Mapping[str, Sequence[Document]], files: Mapping[str, str], known: _Known
) -> Iterator[Reported]:
    for kind, name, document, found in (*_widgets(documents, known), *_apps(documents, known), *_agents(documents)):
        graded = contract.as_imported(found) if document.get("imported") else found
        ours = not document.get("imported") and document.get("published", True)
        for finding in graded:
            blocks = ours and finding.severity == "error"
            yield Reported(files.get(kind, FILES[kind]), kind, name, finding, blocks)


Found = tuple[str, str, Document, Iterable[Finding]]


def _widgets(documents: Mapping[str, Sequence[Document]], known: _Known) -> Iterator[Found]:
    definitions = {document["id"]: document["definition"] for document in documents["widget"]}
    for document, found in zip(documents["widget"], contract.check_widgets(definitions).values(), strict=True):
        yield "widget", document["id"], document, [*found, *_addresses(document, known), *_own(document)]


def _own(document: Document) -> Iterator[Finding]:
    """Yield what this backend would make of a widget, whatever the others are."""
    yield from key_parameter_findings(document["definition"], document.get("upstream"))
    if found := look_finding(document["definition"], document.get("shape")):
        yield found


def _apps(documents: Mapping[str, Sequence[Document]], known: _Known) -> Iterator[Found]:
    widgets = {**known.widgets, **{document["id"]: document["definition"] for document in documents["widget"]}}
    agents = known.agents | {document["id"] for document in documents["agent"]}
    apps = [document["app"] for document in documents["app"]]
    for document, found in zip(documents["app"], contract.check_apps(apps, widgets, agents), strict=True):
        yield "app", document["slug"], document, found


def _agents(documents: Mapping[str, Sequence[Document]]) -> Iterator[Found]:
    definitions = {document["id"]: document["agent"] for document in documents["agent"]}
    for document, found in zip(documents["agent"], contract.check_agents(definitions).values(), strict=True):
        yield "agent", document["id"], document, found


def _addresses(document: Document, known: _Known) -> Iterator[Finding]:
    """Yield what is to be said about where a widget's data comes from, and about the way there."""
    endpoint = document["definition"].get("endpoint")
    path = local_path(endpoint)
    if isinstance(endpoint, str) and is_absolute(endpoint) and effective_type(document["definition"]) != "iframe":
        yield Finding(
            "warning",
            "endpoint-absolute",
            "endpoint",
            f"{show(endpoint)} is the address of another server: Workspace asks it directly, past the keys, the cache "
            "and the limits of this backend.",
            "Write a path, and choose an upstream that has the data.",
        )
    if path and path in known.paths:
        yield from _taken(document, path, *known.paths[path])
    if path and document.get("imported") and not document.get("upstream") and not document.get("feeds"):
        yield Finding(
            "warning",
            "no-source",
            "endpoint",
            "The widget has no data source yet, so Workspace shows an error in it.",
            "Import it with the address of its backend as upstream, or choose a query or an upstream on its page.",
        )


def _taken(document: Document, path: str, other: str, look: Look | None) -> Iterator[Finding]:
    if _look(document) != look:
        yield Finding(
            "warning" if document.get("upstream") else "error",
            "endpoint-taken",
            "endpoint",
            f"{show(path)} is already the address of {other}, which has other data, and one answer has to do for both.",
            "Choose another endpoint for one of the two.",
        )
