"""Loading the demo: definitions that come with the project, read and published the way every definition is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q

from widgets_app.compiled import open_backend
from widgets_app.errors import DefinitionError
from widgets_app.manifest import reading
from widgets_app.models import App, Query, Source, Version, Widget
from widgets_app.services.publishing import definition_publish
from widgets_app.sources.base import SourceBackend
from widgets_app.sources.files import FilesBackend, store_file

DEMO = Path(__file__).resolve().parent.parent / "demo"
DATA, DEFINITIONS = DEMO / "data", DEMO / "definitions"
# Files of the data folder that are no data.
ABOUT = "README.md"
NOTE = "Demo"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did: the names that it made, and those that were there and stay as they are, each by its kind."""

    made: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    kept: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of definition: how to find what a document would make, and how to make it."""

    words: str
    model: type[models.Model]
    name_of: Callable[[Document], str]
    same: Callable[[Document], Q]
    make: Callable[[Document], object]


@transaction.atomic
def demo_load() -> Loaded:
    """Make and publish what the demo has and this backend lacks, all or nothing.

    Raises DefinitionError when something stands in the way, OSError when the data files can't be written.
    """
    loaded = Loaded()
    # Holding on to what was made keeps the source open; every query would open its files anew otherwise.
    held = []
    for kind in KINDS:
        for document in documents(kind.words):
            exists = kind.model._default_manager.filter(kind.same(document)).exists()
            if not exists:
                held.append(kind.make(document))
            (loaded.kept if exists else loaded.made)[kind.words].append(kind.name_of(document))
    return loaded


def documents(words: str) -> list[Document]:
    """Return the demo's documents of one kind: `sources`, `queries`, `widgets` or `apps`."""
    found: list[Document] = json.loads((DEFINITIONS / f"{words}.json").read_text(encoding="utf-8"))
    return found


def data_files() -> Iterable[Path]:
    """Return the demo's data files."""
    return sorted(path for path in DATA.iterdir() if path.name != ABOUT)


def _make_source(document: Document) -> SourceBackend:
    source = Source(**document)
    try:
        source.full_clean()
    except ValidationError as error:
        raise DefinitionError(f"Source {source.name}: {' '.join(error.messages)}") from None
    source.save()
    backend = open_backend(source)
    if isinstance(backend, FilesBackend):
        _store_files(backend)
    return backend


def _store_files(backend: FilesBackend) -> None:
    """Put the data files where the source reads; one that is there already is the user's by now."""
    for path in data_files():
        if not (backend.path / path.name).exists():
            store_file(backend, path.name, [path.read_bytes()])


def _published(read: Callable[[Document], Any]) -> Callable[[Document], Version]:
    return lambda document: definition_publish(read(document), note=NOTE)


# In this order each kind finds what it refers to.
KINDS = (
    Kind("sources", Source, lambda found: found["name"], lambda found: Q(name=found["name"]), _make_source),
    Kind(
        "queries",
        Query,
        lambda found: found["name"],
        lambda found: Q(name=found["name"]) | Q(options_path=found["options_path"]),
        _published(reading.read_query),
    ),
    Kind(
        "widgets",
        Widget,
        lambda found: found["id"],
        lambda found: Q(widget_id=found["id"]),
        _published(reading.read_widget),
    ),
    Kind(
        "apps",
        App,
        lambda found: found["slug"],
        lambda found: Q(slug=found["slug"]) | Q(name=found["app"]["name"]),
        _published(reading.read_app),
    ),
)
