"""Loads the demo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from widgets_app.management.base import OneLineCommand
from widgets_app.services.bundles import Step
from widgets_app.services.demo import demo_load

PLURALS = {"source": "sources", "query": "queries", "widget": "widgets", "app": "apps"}


class Command(OneLineCommand):
    """Makes what the demo has and this backend lacks."""

    help = "Makes the demo's sources, queries, widgets and apps. Leaves those alone that exist already."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and say what was made and what was left alone."""
        steps = demo_load().steps
        made = _by_kind(step for step in steps if step.action == "add")
        kept = _by_kind(step for step in steps if step.action != "add")
        if made:
            self.stdout.write("Made and published:")
        for words, names in made.items():
            self.stdout.write(f"  {words}: {', '.join(names)}")
        if kept:
            counted = ", ".join(f"{len(names)} {words}" for words, names in kept.items())
            self.stdout.write(f"Left alone, since they exist already: {counted}.")


def _by_kind(steps: Iterable[Step]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in steps:
        found.setdefault(PLURALS[step.kind], []).append(step.name)
    return found
