"""What keeps a bundle from being imported at all, found before anything is done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import copy
from typing import Any, NamedTuple

from widgets_app.errors import DefinitionError
from widgets_app.services.bundles.bundle import BACKEND, Bundle
from widgets_app.services.sources import SECRETS, Document, source_filled
from widgets_app.sources.registry import backend_class


class _Reference(NamedTuple):
    """A definition that refers to another one by its name."""

    kind: str
    name: str
    wanted_kind: str
    wanted: str


def references_check(bundle: Bundle, here: Mapping[str, Collection[str]]) -> None:
    """Raise DefinitionError for what refers to a source or a query that is neither in the bundle nor here."""
    named = {"source": bundle.sources, "query": bundle.queries}
    known = {kind: {*here[kind], *(document["name"] for document in named[kind])} for kind in named}
    for kind, name, wanted_kind, wanted in _references(bundle):
        if wanted not in known[wanted_kind]:
            raise DefinitionError(
                f'{bundle.files.get("backend", BACKEND)}: The {kind} "{name}" needs the {wanted_kind} "{wanted}", '
                "which is neither in the bundle nor here. Import it too, or make it first."
            )


def _references(bundle: Bundle) -> Iterator[_Reference]:
    for query in bundle.queries:
        if query["source"]:
            yield _Reference("query", query["name"], "source", query["source"])
    for kind, documents in (("widget", bundle.widgets), ("agent", bundle.agents)):
        for document in documents:
            if document.get("upstream"):
                yield _Reference(kind, document["id"], "source", document["upstream"])
            for query in document.get("feeds", {}).values():
                yield _Reference(kind, document["id"], "query", query)
            for source in form_sources(document):
                yield _Reference(kind, document["id"], "source", source)


def form_sources(document: Document) -> set[str]:
    """Return the sources that the forms of a widget write to, or call functions of."""
    return {action["source"] for actions in (document.get("forms") or {}).values() for action in actions}


def sources_check(found: Iterable[tuple[Document, Any]], *, file: str) -> None:
    """Raise DefinitionError for a source that can't be made, or can't be made of the row beside it."""
    for document, row in found:
        try:
            _refuse_open_secrets(document)
            source_filled(document, copy(row), secrets=document.get(SECRETS))
        except DefinitionError as error:
            raise DefinitionError(f'{file}: The source "{document["name"]}" can\'t be imported: {error}') from None


def _refuse_open_secrets(document: Document) -> None:
    """Refuse what would stand in the database, and in every export, for all to read."""
    for name in backend_class(document["kind"]).Options.secret & (document.get("options") or {}).keys():
        raise DefinitionError(f"Its option {name} is secret. Take it out of the file, and enter it on its page.")
