"""Which query gives a widget its rows, and which widgets the places of apps mean."""

from __future__ import annotations

from django.db import transaction

from widgets_app.models import Feed, Placement, Query, Widget


@transaction.atomic
def feed_choose(widget: Widget, *, query: Query | None) -> None:
    """Have a query give the rows of a widget, or none."""
    rows = Feed.objects.filter(widget=widget, role=Feed.Role.ROWS)
    if query is None:
        rows.delete()
    else:
        Feed.objects.update_or_create(widget=widget, role=Feed.Role.ROWS, defaults={"query": query})


@transaction.atomic
def placements_link(widget: Widget) -> None:
    """Link the places of apps that name a widget by its id, and no others, to the widget."""
    Placement.objects.filter(widget=widget).exclude(widget_id_text=widget.widget_id).update(widget=None)
    Placement.objects.filter(widget_id_text=widget.widget_id).update(widget=widget)
