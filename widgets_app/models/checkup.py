"""Examinations of backends by the doctor, kept to be compared."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Checkup(models.Model):
    """One examination: of which address, as which page, how far it is, and what it found. Never the credential.

    It is over when `finished_at` is set, with the doctor's `report` as JSON or a `fault` in words. When it is not over
    by `ends_by`, its process has ended before it.
    """

    class State(models.TextChoices):
        """What has become of it."""

        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        INTERRUPTED = "interrupted", "Interrupted"

    URL_LENGTH = 500

    url = models.CharField(max_length=URL_LENGTH)
    origin = models.CharField(max_length=255)
    sends_forms = models.BooleanField(default=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    started_at = models.DateTimeField(auto_now_add=True)
    ends_by = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    looking_at = models.CharField(max_length=255, default="")
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    report = models.TextField(default="")
    fault = models.CharField(max_length=255, default="")

    class Meta:
        # Nobody edits them: what people may see is decided by the pages that show them.
        default_permissions = ()
        ordering = ["-started_at", "-pk"]
        constraints = [models.CheckConstraint(condition=~Q(url="") & ~Q(origin=""), name="checkup_of_something")]
        indexes = [models.Index(fields=["url", "-started_at"])]

    def __str__(self) -> str:
        return f"{self.url}, {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def state(self) -> State:
        """What has become of it by now."""
        if self.finished_at is not None:
            return self.State.FAILED if self.fault else self.State.DONE
        return self.State.RUNNING if timezone.now() < self.ends_by else self.State.INTERRUPTED
