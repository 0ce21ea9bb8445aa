"""What callers may see of rows: values for the `:key_` placeholders of queries."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from widgets_app.models.api_key import ApiKey
from widgets_app.models.fields import JSONTextField

# Alone in the place of values: all rows.
ALL_ROWS = "*"


class RowValue(models.Model):
    """A list of values under a name, held by one key, one user or one group; `:key_desk` asks for the name `desk`."""

    name = models.SlugField(max_length=63, help_text="For the placeholder :key_desk, the name is desk.")
    values = JSONTextField(help_text="The values, for example EMEA. A star alone means all rows.")
    api_key = models.ForeignKey(ApiKey, models.CASCADE, null=True, blank=True, related_name="row_values")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="row_values")
    group = models.ForeignKey(Group, models.CASCADE, null=True, blank=True, related_name="row_values")

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="row_value_named"),
            models.CheckConstraint(
                condition=Q(api_key__isnull=False, user__isnull=True, group__isnull=True)
                | Q(api_key__isnull=True, user__isnull=False, group__isnull=True)
                | Q(api_key__isnull=True, user__isnull=True, group__isnull=False),
                name="row_value_one_holder",
            ),
            models.UniqueConstraint(fields=["api_key", "name"], name="row_value_once_per_key"),
            models.UniqueConstraint(fields=["user", "name"], name="row_value_once_per_user"),
            models.UniqueConstraint(fields=["group", "name"], name="row_value_once_per_group"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.api_key or self.user or self.group}"
