"""Loading the demo: a bundle that comes with the project, imported the way every bundle is, and its data files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.db import transaction

from widgets_app.compiled import open_backend
from widgets_app.models import Source
from widgets_app.services.bundles import Bundle, Options, Plan, bundle_import, from_files
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.putting import store_file

DEMO = Path(__file__).resolve().parent.parent / "demo"
DATA, DEFINITIONS = DEMO / "data", DEMO / "definitions"
# Files of the data folder that are no data.
ABOUT = "README.md"
NOTE = "Demo"


@transaction.atomic
def demo_load() -> Plan:
    """Make and publish what the demo has and this backend lacks, all or nothing.

    Raises DefinitionError when something stands in the way, OSError when the data files can't be written.
    """
    plan = bundle_import(demo_bundle(), Options(on_conflict="skip", note=NOTE))
    for step in plan.steps:
        if step.kind == "source" and step.action == "add":
            _store_files(Source.objects.get(name=step.name))
    return plan


def demo_bundle() -> Bundle:
    """Return the demo's definitions."""
    return from_files((path.name, path.read_bytes()) for path in sorted(DEFINITIONS.glob("*.json")))


def data_files() -> Iterable[Path]:
    """Return the demo's data files."""
    return sorted(path for path in DATA.iterdir() if path.name != ABOUT)


def _store_files(source: Source) -> None:
    """Put the data files where the source reads; one that is there already is the user's by now."""
    backend = open_backend(source)
    if not isinstance(backend, FilesBackend):
        return
    for path in data_files():
        if not (backend.path / path.name).exists():
            store_file(backend, path.name, [path.read_bytes()])
