"""Rows that are kept in this database, and what the buttons of forms do with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import ExpressionWrapper, F, Q

from widgets_app.models.fields import JSONTextField, dump
from widgets_app.models.ordering import Ordered
from widgets_app.models.parameter import Parameter
from widgets_app.models.source import Source


class CollectionRowQuerySet(models.QuerySet["CollectionRow"]):
    """Rows of collections."""

    def with_text(self) -> Any:
        """Add `text`: the data as it is stored, JSON that nobody has parsed."""
        return self.annotate(text=ExpressionWrapper(F("data"), output_field=models.TextField()))

    def maybe_having(self, wanted: Mapping[str, Any]) -> Any:
        """Leave out rows that don't have the texts among these values anywhere; the others are to be looked at."""
        rows = self.with_text()
        for value in wanted.values():
            if isinstance(value, str):
                rows = rows.filter(text__contains=dump(value))
        return rows


class CollectionRow(models.Model):
    """One row of a source of the kind `collection`: an object with a value for each of its columns."""

    source = models.ForeignKey(Source, models.CASCADE, related_name="collection_rows")
    data = JSONTextField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    created_by = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="Name of the key that sent it, or of who entered it in the admin.",
    )

    objects = CollectionRowQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        # Without the name of its collection, which a list of rows would ask the database for one by one.
        return f"row {self.pk}"


class FormAction(Ordered):
    """What happens when a form is sent: rows of a collection are changed, or a Python function is called."""

    class Does(models.TextChoices):
        """What there is to do."""

        APPEND = "append", "Add a row"
        CHANGE = "change", "Change the rows with the same key"
        DELETE = "delete", "Delete the rows with the same key"
        FUNCTION = "function", "Call a Python function"

    parameter = models.ForeignKey(Parameter, models.CASCADE, related_name="actions")
    button = models.CharField(
        max_length=255, blank=True, default="", help_text="Name of the button that was pressed. Empty: any other one."
    )
    does = models.CharField(max_length=10, choices=Does.choices, default=Does.APPEND)
    source = models.ForeignKey(
        Source,
        models.PROTECT,
        related_name="form_actions",
        help_text="The collection; for a function, the source of the kind Python functions whose limits hold.",
    )
    function = models.CharField(max_length=255, blank=True, default="", help_text="Name of the Python function.")
    once_seconds = models.PositiveIntegerField(
        "once within (s)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 3600)],
        help_text="An equal form that the same key sends again within so many seconds is answered, but done once only.",
    )

    class Meta(Ordered.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(does="function") & ~Q(function="") | ~Q(does="function") & Q(function=""),
                name="form_action_function_where_one_is_called",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.button or 'any button'}: {self.get_does_display()}"


class Submission(models.Model):
    """A form that was sent, remembered for as long as an equal one is not done again."""

    digest = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest
