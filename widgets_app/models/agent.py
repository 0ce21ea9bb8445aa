"""One entry of agents.json: an agent that runs elsewhere and can be chosen in Workspace."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from widgets_app.models.fields import JSONTextField
from widgets_app.models.manifest_entry import ManifestEntry
from widgets_app.models.source import Source


class Agent(ManifestEntry):
    """An agent's definition. An empty field means that the key is absent; keys without a field are in `extra`."""

    agent_id = models.CharField(
        "id", max_length=255, unique=True, help_text="Stable name used by apps: small letters, digits and -."
    )
    name = models.CharField(max_length=500, null=True, blank=True, help_text="Shown where people choose an agent.")
    description = models.TextField(null=True, blank=True, help_text="What it is good at, in a sentence or two.")
    image = models.TextField(null=True, blank=True, help_text="Address of a picture.")
    query_url = models.CharField(
        "query endpoint",
        max_length=1000,
        null=True,
        blank=True,
        help_text="Address that Workspace sends questions to; a path leads to the upstream chosen below.",
    )
    features = JSONTextField(
        null=True,
        blank=True,
        help_text='What it can do: {"streaming": true, "widget-dashboard-select": true, "widget-dashboard-search": '
        "false}.",
    )
    extra = JSONTextField("other keys", null=True, blank=True)
    upstream = models.ForeignKey(
        Source,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="agents",
        help_text="HTTP backend that answers, if the query endpoint is a path.",
    )

    class Meta(ManifestEntry.Meta):
        constraints = [models.CheckConstraint(condition=~Q(agent_id=""), name="agent_id_not_empty")]

    def __str__(self) -> str:
        return self.agent_id
