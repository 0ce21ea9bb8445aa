"""Rewrites definitions to how Workspace documents them today, wherever what is meant is certain.

Nothing else changes: order, unknown keys and everything of today's form stay. Doing it twice changes nothing more.
"""

from __future__ import annotations

from typing import Final

from widgets_app.manifest.modernise.agents import modernise_agent
from widgets_app.manifest.modernise.apps import modernise_app
from widgets_app.manifest.modernise.widgets import modernise_widget

# Findings that go away, unless the definition contradicts itself there. Of other kinds a few go too: numbers written
# as texts, sizes over the limits, words of a closed set in another spelling.
MODERNISED: Final = frozenset(
    {
        "key-spelling",
        # widgets
        "columns-misplaced",
        "grid-position",
        "grid-wide",
        "group-by-legacy",
        "id-differs",
        "option-text",
        "param-type-missing",
        "source-text",
        "type-legacy",
        "type-missing",
        # apps
        "app-id",
        "app-id-given",
        "app-key-missing",
        "app-layout-legacy",
        "group-layout",
        "group-members",
        "tab-id",
        "tab-layout",
        "tab-name",
        # agents
        "agent-features-missing",
    }
)

__all__ = ["MODERNISED", "modernise_agent", "modernise_app", "modernise_widget"]
