"""Order by dragging: in lists, and in the rows inside a page."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from widgets_app.admin.base import BackendAdmin, RowsInline
from widgets_app.services.ordering import definitions_reorder

if TYPE_CHECKING:
    from django.forms.models import BaseInlineFormSet

    _FormSet = BaseInlineFormSet[Any, Any, Any]
    _RowField = forms.ModelChoiceField[Any]
else:
    from unfold.forms import PaginationInlineFormSet as _FormSet

    _RowField = forms.ModelChoiceField

ROW = re.compile(r"form-(\d+)-position")


class DraggedList(BackendAdmin):
    """A list whose rows are put in order by dragging them; the order is that of the manifest."""

    ordering_field = "position"
    hide_ordering_field = True

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Save the order of the rows on the page."""
        if request.method == "POST" and "_save" in request.POST:
            return self._reorder(request)
        return super().changelist_view(request, extra_context)

    def _reorder(self, request: HttpRequest) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        if "o" in request.GET:
            # Dropped rows are numbered as they stand, which would make the sorting of one view the order for all.
            self.message_user(
                request, "The list was sorted by a column. Take the sorting off, then drag.", messages.WARNING
            )
        elif moved := definitions_reorder(self.model, _order(request)):
            self.message_user(request, f"The order is saved; {moved} have moved.", messages.SUCCESS)
        return HttpResponseRedirect(request.get_full_path())


def _order(request: HttpRequest) -> list[int]:
    """Return the primary keys of the rows on the page, in the order in which they were left."""
    places: list[tuple[int, int]] = []
    for name, place in request.POST.items():
        row = ROW.fullmatch(name)
        pk = request.POST.get(f"form-{row[1]}-id", "") if row else ""
        if pk.isdecimal() and isinstance(place, str) and place.isdecimal():
            places.append((int(place), int(pk)))
    return [pk for _, pk in sorted(places, key=lambda pair: pair[0])]


class KnownRow(_RowField):
    """The hidden primary key of a row. Rows that the form set has read are not read again one by one."""

    def __init__(self, formset: OrderedFormSet, field: _RowField) -> None:
        self.formset = formset
        super().__init__(field.queryset, initial=field.initial, required=False, widget=field.widget)

    def to_python(self, value: Any) -> Any:
        """Find the row among those of the form set; look elsewhere only to refuse it properly."""
        return self.formset.known_rows.get(str(value)) or super().to_python(value)


class OrderedFormSet(_FormSet):
    """Rows with a place each; new ones go last, in the order in which they were added."""

    @cached_property
    def known_rows(self) -> dict[str, models.Model]:
        """Return the stored rows by their primary keys, as forms send them."""
        return {str(row.pk): row for row in self.get_queryset()}

    def add_fields(self, form: Any, index: int | None) -> None:
        """Look at the rows once for the hidden keys of all of them."""
        super().add_fields(form, index)
        name = self.get_queryset().model._meta.pk.name
        if isinstance(field := form.fields.get(name), forms.ModelChoiceField):
            form.fields[name] = KnownRow(self, field)

    def save_new(self, form: Any, commit: bool = True) -> models.Model:
        """Give a new row the next place."""
        form.instance.position = self._next_position()
        row: models.Model = super().save_new(form, commit)
        return row

    def _next_position(self) -> int:
        if not hasattr(self, "_last"):
            kept = [form.instance.position for form in self.initial_forms]
            self._last = max(kept, default=-1)
        self._last += 1
        return self._last


class OrderedInline(RowsInline):
    """Rows inside a page that can be dragged."""

    formset = OrderedFormSet
    ordering_field = "position"
    hide_ordering_field = True
