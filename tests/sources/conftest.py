"""A folder of files and a source that reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pytest_django.fixtures import Settings

from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend, FilesOptions
from widgets_app.sources.frame import Frame


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    """The folder of the source "market"."""
    settings.WIDGETS_FILES = tmp_path / "files"
    path = tmp_path / "files" / "market"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def backend(folder: Path) -> FilesBackend:
    return FilesBackend("market", FilesOptions())


@pytest.fixture
def ask(backend: FilesBackend) -> Callable[..., Frame]:
    """Prepare and run a query on the files as they are now; keyword arguments are values."""

    def run(text: str, *, limits: Limits | None = None, **values: Any) -> Frame:
        backend.look_again()
        query = backend.prepare(text)
        return query.run({name: values.get(name) for name in query.placeholders}, limits or Limits(), Call())

    return run


@pytest.fixture
def write_parquet(folder: Path) -> Callable[[str, str], None]:
    """Write the result of a SELECT to a Parquet file in the folder."""

    def write(name: str, select: str) -> None:
        with duckdb.connect() as connection:
            connection.execute(f"copy ({select}) to '{folder / name}'")

    return write
