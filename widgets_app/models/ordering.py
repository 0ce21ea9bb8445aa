"""Order as data: rows that an editor can move."""

from __future__ import annotations

from typing import Any

from django.db import models


class Ordered(models.Model):
    """A row with a place among its siblings; equal places fall back to the order of making."""

    position = models.PositiveIntegerField(default=0, db_index=True, editable=True)

    class Meta:
        abstract = True
        ordering = ["position", "pk"]


class Listed(Ordered):
    """A row of the whole list of its kind; a new one goes last."""

    class Meta(Ordered.Meta):
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Put a new row at the end."""
        if self._state.adding and not self.position:
            last = type(self)._default_manager.aggregate(last=models.Max("position"))["last"]
            self.position = 0 if last is None else last + 1
        super().save(*args, **kwargs)
