"""Keys that callers authenticate with."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from widgets_app.models.fields import JSONTextField


class ApiKey(models.Model):
    """A key, of which only the first part is kept in clear, and a hash of the rest."""

    name = models.CharField(max_length=255, help_text="Whose or what for: Ana, Excel on the desk.")
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="api_keys",
        help_text="Owner. The key has the owner's groups, and stops working when the owner is made inactive.",
    )
    groups = models.ManyToManyField(
        Group, blank=True, related_name="+", help_text="What it may see, besides what everybody may see."
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    networks = JSONTextField(
        null=True,
        blank=True,
        help_text="Networks it may be used from: 10.0.0.0/8, 192.168.1.7. Empty: from everywhere.",
    )
    may_put_files = models.BooleanField(
        "may put files",
        default=False,
        help_text="The key may replace data files by PUT /-/files/, as notebooks and schedulers do.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(name="") & ~Q(prefix=""), name="api_key_named"),
            models.CheckConstraint(condition=~Q(digest=""), name="api_key_hashed"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
