"""What entries of all manifests have in common."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import models

from widgets_app.models.ordering import Listed
from widgets_app.models.revision import Published


class ManifestEntry(Listed, Published):
    """An entry of a manifest: it has a place in it, a draft and a published state, and people who may see it."""

    # What came from elsewhere is served as it came: the rules for definitions made here are findings on it.
    imported = models.BooleanField(default=False, editable=False)
    groups = models.ManyToManyField(
        Group,
        blank=True,
        related_name="+",
        help_text="Who may see it: keys of these groups; nobody chosen means every key. Counts as soon as it is saved.",
    )

    class Meta(Listed.Meta):
        abstract = True
