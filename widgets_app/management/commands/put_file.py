"""Replaces a data file, or puts an earlier version of it back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import orjson
from django.core.management.base import CommandError

from widgets_app.management.base import OneLineCommand
from widgets_app.services.files import found_file, stored_document
from widgets_app.sources.putting import PIECE, put_file, restore_file

NEWEST = 0


class Command(OneLineCommand):
    """Takes a file in as an upload in the admin does."""

    help = (
        "Replaces a data file in one step, once it was checked to its end. What it has become is printed as JSON. "
        "A file that can't be a table is refused, and the one before goes on being served."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take which file it becomes and where it is."""
        parser.add_argument("name", help="source/file.csv, or source/table/piece.parquet for one piece of a table")
        parser.add_argument("path", nargs="?", help="the file to take in; - for what comes on stdin")
        parser.add_argument(
            "--restore", nargs="?", type=int, const=NEWEST, metavar="VERSION",
            help="put this version back instead, or the newest one that is kept",
        )  # fmt: skip

    def handle(self, *args: Any, name: str, path: str | None, restore: int | None, **options: Any) -> None:
        """Take the file in, or change nothing."""
        if (path is None) == (restore is None):
            raise CommandError("Give either the file to take in, or --restore.")
        backend, file = found_file(name)
        if restore is not None:
            stored = restore_file(backend, file, restore or None)
        elif path == "-":
            stored = put_file(backend, file, _pieces(sys.stdin.buffer))
        else:
            with Path(path or "").open("rb") as source:
                stored = put_file(backend, file, _pieces(source))
        self.stdout.write(orjson.dumps(stored_document(stored)).decode())


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(PIECE):
        yield piece
