"""JSON that comes back exactly as it was stored, on every database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

# Django's fields take type arguments in their stubs only.
if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField


def dump(value: object) -> str:
    """Write JSON as it is stored: strict, ASCII, members in their order. Raises ValueError for NaN."""
    return json.dumps(value, allow_nan=False)


class JSONTextFormField(forms.JSONField):
    """A JSON form field for which reordered members are a change."""

    def validate(self, value: Any) -> None:
        """Refuse NaN and Infinity, which Python's parser lets through."""
        super().validate(value)
        try:
            dump(value)
        except ValueError:
            raise ValidationError("NaN and Infinity are no JSON numbers. Use null.") from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare texts: two dicts are equal whatever the order of their members."""
        if self.disabled:
            return False
        try:
            return dump(self.to_python(data)) != dump(initial)
        except (ValidationError, ValueError):
            return True  # no JSON, or NaN: told when it is cleaned


class JSONTextField(_TextField):
    """Any JSON value, stored as text: PostgreSQL's jsonb would reorder members and rewrite numbers.

    SQL NULL and Python None are "absent"; JSON null can't be told from it. No lookups into the value.
    """

    # What the stubs take for the field's Python value.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        """Parse what the database holds."""
        return None if value is None else json.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        """Write the value as text."""
        return None if value is None else dump(value)

    def to_python(self, value: Any) -> Any:
        """Keep Python values: unlike other text fields, a number must not become text."""
        return value

    def value_to_string(self, obj: models.Model) -> Any:
        """Give serializers the value itself."""
        return self.value_from_object(obj)

    def formfield(self, **kwargs: Any) -> Any:
        """Edit as JSON; callers may ask for a narrower form field."""
        defaults = {"form_class": JSONTextFormField, **kwargs}
        # models.TextField would add max_length and a widget of its own.
        return models.Field.formfield(self, **defaults)
