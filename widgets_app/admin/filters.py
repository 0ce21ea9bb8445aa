"""Filters of lists that are worked out instead of stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.http import HttpRequest

from widgets_app.admin.publishing import STAGES
from widgets_app.services import states
from widgets_app.services.publishing import with_parts

ERRORS = "errors"


class StateFilter(SimpleListFilter):
    """How far a definition has come. Only "changed" and "has errors" look at the definitions themselves."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        """Return the states to choose from."""
        return [*STAGES.items(), (ERRORS, "Has errors")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the rows in the chosen state."""
        chosen = self.value()
        if chosen is None:
            return queryset
        if chosen == "draft":
            return queryset.filter(published=None)
        rows = [row.pk for row in with_parts(queryset.select_related("published")) if _is(chosen, row)]
        return queryset.filter(pk__in=rows)


def _is(chosen: str, row: Any) -> bool:
    return bool(states.errors_of(row)) if chosen == ERRORS else states.stage_of(row) == chosen
