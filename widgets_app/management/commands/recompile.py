"""Has every server read the definitions and the keys again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import F

from widgets_app import catalog
from widgets_app.catalog import CATALOG, Catalog
from widgets_app.management.base import OneLineCommand
from widgets_app.models import Revision, triggers


class Command(OneLineCommand):
    """For changes that were written past the triggers, such as SQL in a session that switched them off."""

    help = (
        "Puts the database triggers in place again and moves the revision numbers, so that every server reads "
        "definitions and keys anew. Says what can't be served, and why."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Move both numbers, compile as the servers will, and report."""
        triggers.install()
        for name in (Revision.CATALOG, Revision.KEYS):
            self.stdout.write(f"Revision of the {name}: {_moved(name)}.")
        CATALOG.reset()
        served = catalog.current()
        self.stdout.write(
            f"Served: {len(served.entries)} widgets, {len(served.apps)} apps, {len(served.queries)} queries."
        )
        for fault in _faults(served):
            self.stdout.write(fault)


@transaction.atomic
def _moved(name: str) -> int:
    revision, _ = Revision.objects.get_or_create(name=name)
    Revision.objects.filter(pk=revision.pk).update(number=F("number") + 1)
    revision.refresh_from_db()
    return revision.number


def _faults(served: Catalog) -> Iterator[str]:
    for what, why in served.left_out.items():
        yield f"Left out: {what}. {why}"
    for source in served.sources.values():
        if source.fault:
            yield f"Does not open: source {source.settings[0]}. {source.fault}"
    for query in served.queries.values():
        if query.fault:
            yield f"Does not run: query {query.name}. {query.fault}"
