"""Loads the demo."""

from __future__ import annotations

from typing import Any

from widgets_app.management.base import OneLineCommand
from widgets_app.services.demo import demo_load


class Command(OneLineCommand):
    """Makes what the demo has and this backend lacks."""

    help = "Makes the demo's sources, queries, widgets and apps. Leaves those alone that exist already."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and say what was made and what was left alone."""
        loaded = demo_load()
        if loaded.made:
            self.stdout.write("Made and published:")
        for words, names in loaded.made.items():
            self.stdout.write(f"  {words}: {', '.join(names)}")
        if loaded.kept:
            kept = ", ".join(f"{len(names)} {words}" for words, names in loaded.kept.items())
            self.stdout.write(f"Left alone, since they exist already: {kept}.")
