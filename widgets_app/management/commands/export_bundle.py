"""Exports definitions as files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from widgets_app.management.base import OneLineCommand
from widgets_app.services.bundles import bundle_export, write_folder


class Command(OneLineCommand):
    """Writes a bundle into a folder."""

    help = (
        "Writes widgets.json, apps.json, agents.json, and backend.json with sources, queries and groups, but no "
        "secrets. The same definitions give the same bytes."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the folder, and whether drafts are wanted."""
        parser.add_argument("dir", metavar="DIR", help="folder to write to; made if it is missing")
        parser.add_argument("--all", action="store_true", help="drafts and entries with errors too")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the files, and say how large they are."""
        folder = Path(options["dir"])
        files = bundle_export(everything=options["all"])
        write_folder(files, folder)
        for name, content in files.items():
            self.stdout.write(f"{folder / name}: {len(content):,} bytes")
