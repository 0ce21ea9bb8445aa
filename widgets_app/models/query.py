"""A named, parameterised read from one source."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from widgets_app.models.revision import Published
from widgets_app.models.source import Source


class Query(Published):
    """A read with `:name` placeholders. Without a source it is a fixed list of options: its choices."""

    name = models.SlugField(max_length=100, unique=True, help_text="Short name, for example daily-prices.")
    description = models.CharField(max_length=255, blank=True, default="")
    source = models.ForeignKey(
        Source,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="queries",
        help_text="Leave empty for a fixed list of options, entered below.",
    )
    text = models.TextField(
        blank=True,
        default="",
        help_text=(
            "For files: one SELECT; write :name where a parameter's value goes, for example "
            "select * from prices where ticker = :ticker. For Python: the name of the function."
        ),
    )
    cache_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(30 * 24 * 3600)],
        help_text=(
            "How long a result is reused. Empty: as long as the widget's data counts as fresh (staleTime). 0: never."
        ),
    )
    cron = models.CharField(
        "refresh schedule",
        max_length=100,
        blank=True,
        default="",
        help_text=(
            "When the result is made anew before anybody asks, as five cron fields: */15 6-20 * * 1-5. Empty: when "
            "somebody asks."
        ),
    )
    seconds = models.PositiveIntegerField(
        "time limit (s)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text="Empty: the source's limit.",
    )
    rows = models.PositiveIntegerField(
        "row limit",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(10_000_000)],
        help_text="Empty: the source's limit.",
    )
    options_path = models.CharField(
        max_length=200,
        blank=True,
        unique=True,
        help_text=(
            "Path at which the rows are served as options of dropdowns; empty: options/ and the name. Dropdowns that "
            "should be linked in an app must use the same path. Columns: value, label, and if you like description "
            "and right_of_description."
        ),
    )

    class Meta:
        verbose_name_plural = "queries"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="query_named"),
            models.CheckConstraint(condition=~Q(options_path=""), name="query_options_path_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give every query the path under which dropdowns find it."""
        self.options_path = self.options_path or f"options/{self.name}"
        super().save(*args, **kwargs)
