"""Agent rows -> documents."""

from __future__ import annotations

from typing import Any

from widgets_app.manifest import keys
from widgets_app.models import Agent

Document = dict[str, Any]

# What a writer touches, to be prefetched when many are written.
AGENT_CHILDREN = ("upstream", "groups")


def agent_document(agent: Agent) -> Document:
    """Return all of an agent: its entry of agents.json and what this backend keeps about it."""
    return {
        "id": agent.agent_id,
        "agent": definition(agent),
        "upstream": agent.upstream.name if agent.upstream else None,
        "groups": sorted(group.name for group in agent.groups.all()),
        "imported": agent.imported,
    }


def definition(agent: Agent) -> Document:
    """Return the agent's entry of agents.json."""
    return keys.AGENT.write(agent, agent.extra)
