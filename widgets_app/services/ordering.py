"""Moving rows among their siblings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.db import transaction

from widgets_app.models import Agent, App, Widget

Definition = TypeVar("Definition", Widget, App, Agent)


@transaction.atomic
def definitions_reorder(model: type[Definition], pks: Sequence[int]) -> int:
    """Put these rows into this order, in the places that they have between them; return how many rows moved.

    All other rows keep their places, so that one page of a list, or a filtered list, can be put in order.
    """
    rows = list(model._default_manager.only("pk", "position"))
    by_pk = {row.pk: row for row in rows}
    wanted = [pk for pk in dict.fromkeys(pks) if pk in by_pk]
    places = [place for place, row in enumerate(rows) if row.pk in set(wanted)]
    for place, pk in zip(places, wanted, strict=True):
        rows[place] = by_pk[pk]
    moved = [row for place, row in enumerate(rows) if row.position != place]
    for place, row in enumerate(rows):
        row.position = place
    model._default_manager.bulk_update(moved, ["position"], batch_size=500)
    return len(moved)
