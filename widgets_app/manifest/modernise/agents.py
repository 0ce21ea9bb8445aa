"""An entry of agents.json, rewritten to today's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from widgets_app.manifest.contract.agents import AGENT_KEYS, OLD_SWITCHES
from widgets_app.manifest.modernise.rewriting import Document, inside, renamed, without
from widgets_app.vocabulary import AGENT_FEATURES, words


def modernise_agent(agent: Mapping[str, Any]) -> Document:
    """Return one entry of agents.json as Workspace documents it today."""
    item = renamed(agent, AGENT_KEYS)
    if item.get("features") is None:
        item["features"] = {}
    item = inside(item, "features", lambda features: renamed(features, words(AGENT_FEATURES)))
    return _without_switches(item) if isinstance(item["features"], dict) else item


def _without_switches(item: Document) -> Document:
    """Turn the switches from before there were features into features, and drop those that are off."""
    for old, feature in OLD_SWITCHES.items():
        value, features = item.get(old), item["features"]
        if isinstance(value, bool) and feature and (features.get(feature) is None or features[feature] is value):
            item = {**without(item, old), "features": {**features, feature: value}}
        elif value is False and not feature:
            item = without(item, old)
    return item
