"""Row values, on the pages of who holds them: keys, users and groups."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.http import HttpRequest

from widgets_app.admin.base import RowsInline
from widgets_app.admin.fields import EditedAsText, Text, show_json
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.inputs import RowInput, Textarea
from widgets_app.errors import DefinitionError
from widgets_app.models import ApiKey, RowValue
from widgets_app.services.row_values import name_checked, values_checked, values_read, values_written

NAME_HELP = "For the placeholder :key_desk of queries, the name is desk."
VALUES_HELP = (
    "One per line, or between commas: EMEA, APAC. A star alone means all rows. Digits are a number, as in a column of "
    'numbers; for text write them in quotes: "12".'
)


class Values(EditedAsText):
    """A list of texts and numbers, one per line or between commas."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": Textarea(rows=2), **kwargs, "help_text": VALUES_HELP})
        self.widget.attrs["placeholder"] = "EMEA, APAC"

    def show(self, value: Any) -> str:
        """Return the values one per line; what SQL has written otherwise as JSON."""
        return values_written(value) if isinstance(value, list) else show_json(value)

    def parse(self, text: str) -> Any:
        """Return the values; ValidationError for those that can't be held."""
        try:
            return values_checked(values_read(text))
        except DefinitionError as error:
            raise ValidationError(str(error)) from None


class RowValueForm(KeepingForm):
    """A name and its values."""

    name = Text(widget=RowInput({"placeholder": "desk"}), help_text=NAME_HELP)

    def clean_name(self) -> Any:
        """Write the name as placeholders have it."""
        try:
            return name_checked(self.cleaned_data["name"]) if self.touched("name") else self.cleaned_data["name"]
        except DefinitionError as error:
            raise ValidationError(str(error)) from None


class RowValueInline(RowsInline):
    """The row values of one holder; who may change keys may change them, since they open rows to keys."""

    model = RowValue
    form = RowValueForm
    fields = ("name", "values")
    json_fields: ClassVar[Any] = {"values": Values}
    verbose_name_plural = "row values"
    tab = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Show them to who may look at keys."""
        user = request.user
        return user.has_perm("widgets_app.view_apikey") or user.has_perm("widgets_app.change_apikey")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let who may change keys change them, but for those of a revoked key."""
        revoked = isinstance(obj, ApiKey) and obj.revoked_at is not None
        return request.user.has_perm("widgets_app.change_apikey") and not revoked

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the same right as for a change."""
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the same right as for a change."""
        return self.has_change_permission(request, obj)
