"""Where data comes from."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from widgets_app.models.fields import JSONTextField


class Source(models.Model):
    """A place to read data from; `options` are the settings of its kind, and the rest are its limits."""

    name = models.SlugField(max_length=100, unique=True, help_text="Short name, for example market-files.")
    kind = models.CharField(max_length=20)
    description = models.CharField(max_length=255, blank=True, default="")
    options = JSONTextField(null=True, blank=True)
    # The secret ones of the options, encrypted: see `sealing`.
    secrets = models.TextField(null=True, blank=True, editable=False)
    seconds = models.PositiveIntegerField(
        "time limit (s)",
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text="A query that takes longer is stopped, and the caller is told.",
    )
    rows = models.PositiveIntegerField(
        "row limit",
        default=100_000,
        validators=[MinValueValidator(1), MaxValueValidator(10_000_000)],
        help_text="Most rows of one answer; more are cut off, and the answer says so.",
    )
    megabytes = models.PositiveIntegerField(
        "size limit (MB)",
        default=64,
        validators=[MinValueValidator(1), MaxValueValidator(1024)],
        help_text="Most megabytes of one answer; the rows beyond are cut off, and the answer says so.",
    )
    slots = models.PositiveSmallIntegerField(
        "queries at once",
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(12)],
        help_text="Most queries that run on this source at the same time, in each server process.",
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name="") & ~Q(kind=""), name="source_named"),
            models.CheckConstraint(
                condition=Q(seconds__gte=1, rows__gte=1, megabytes__gte=1, slots__gte=1), name="source_limits"
            ),
        ]

    def __str__(self) -> str:
        return self.name
