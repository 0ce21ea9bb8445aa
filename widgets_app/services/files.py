"""Data files of sources: found by the names that scripts use, and told as JSON."""

from __future__ import annotations

from typing import Any

from widgets_app.compiled import open_backend
from widgets_app.errors import DefinitionError, NotFound
from widgets_app.models import Source
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.putting import Stored, StoredFile
from widgets_app.sources.versions import Kept


def files_backend(name: str) -> FilesBackend:
    """Return a source of files, open. Raises NotFound where there is none of this name."""
    source = Source.objects.filter(name=name, kind=FilesBackend.kind).first()
    if source is None:
        raise NotFound(f'There is no source of files named "{name}".')
    backend = open_backend(source)
    assert isinstance(backend, FilesBackend)  # noqa: S101  by its kind
    return backend


def found_file(name: str) -> tuple[FilesBackend, str]:
    """Return the source and the file that `source/file` names; `file` alone will do where there is one source only.

    Raises DefinitionError where it is not clear which is meant.
    """
    sources = sorted(Source.objects.filter(kind=FilesBackend.kind).values_list("name", flat=True))
    first, slash, rest = name.partition("/")
    if slash and first in sources:
        return files_backend(first), rest
    if len(sources) == 1:
        return files_backend(sources[0]), name
    there = f"Sources of files: {', '.join(sources)}." if sources else "There is no source of files yet."
    raise DefinitionError(f'"{name}" names no source. Write source/file. {there}')


def stored_document(stored: Stored) -> dict[str, Any]:
    """Return a file that was taken in, as JSON; of several sheets the first one's rows and columns are told."""
    first = stored.tables[0]
    return {
        "table": first.name,
        "tables": [table.name for table in stored.tables],
        "rows": first.rows,
        "columns": [{"name": name, "type": kind} for name, kind in first.columns],
        "bytes": stored.size,
        "replaced": stored.replaced,
        "version": stored.version,
    }


def file_document(file: StoredFile) -> dict[str, Any]:
    """Return a file that is served, as JSON, with the versions before it."""
    return {
        "name": file.name,
        "bytes": file.size,
        "changed": file.changed.isoformat(),
        "etag": file.etag,
        "version": file.version,
        "versions": [_version(kept) for kept in file.kept],
    }


def _version(kept: Kept) -> dict[str, Any]:
    return {"version": kept.number, "bytes": kept.size, "changed": kept.changed.isoformat()}
