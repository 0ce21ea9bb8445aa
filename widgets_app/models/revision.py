"""The numbers of the served state, and the Versions it is made of."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class Revision(models.Model):
    """The number of a state that processes keep a copy of: `catalog` (what is published), `keys`, or the rows of one
    collection (`rows_` and the primary key of its source).

    Database triggers move it in the transaction of every change that counts, whatever wrote it.
    """

    CATALOG = "catalog"
    KEYS = "keys"
    ROWS = "rows"

    name = models.CharField(max_length=20, primary_key=True)
    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


class Version(models.Model):
    """What a widget, app, query or agent was when it was published: the whole definition, as JSON text.

    `document` has the form that export writes. `object_id` outlives the row it was made from, so that a deleted
    definition can be restored.
    """

    class Kind(models.TextChoices):
        """What the document describes."""

        WIDGET = "widget", "Widget"
        APP = "app", "App"
        QUERY = "query", "Query"
        AGENT = "agent", "Agent"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    object_id = models.BigIntegerField()
    identifier = models.CharField(max_length=255, help_text="The id or name it had when it was published.")
    number = models.PositiveIntegerField()
    document = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    note = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "object_id", "number"], name="version_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="version_number_from_1"),
            models.CheckConstraint(
                condition=Q(kind__in=["widget", "app", "query", "agent"]), name="version_kind_known"
            ),
        ]
        indexes = [models.Index(fields=["kind", "identifier"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.identifier}, version {self.number}"


class Published(models.Model):
    """A definition with a draft (its rows) and a published state (a Version, or none)."""

    published = models.OneToOneField(Version, models.PROTECT, null=True, blank=True, editable=False, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
