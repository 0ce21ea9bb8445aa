"""Says in words whether definitions are right: entries of widgets.json, apps.json and agents.json, as plain JSON.

Nothing here raises, whatever the document holds. A definition made here with an error is not to be published.
An imported one is served unless `breaks_entry`, `breaks_app` or `breaks_agent` objects; `as_imported` grades its
findings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from widgets_app.manifest.contract.agents import breaks_agent, check_agent, check_agents
from widgets_app.manifest.contract.apps import breaks_app, check_app, check_apps
from widgets_app.manifest.contract.drawing import check_chart_view, check_sparkline
from widgets_app.manifest.contract.endpoints import RESERVED_PATHS, is_reserved
from widgets_app.manifest.contract.findings import Finding, Severity
from widgets_app.manifest.contract.rendering import check_render_fn_params
from widgets_app.manifest.contract.schedules import cron_problem
from widgets_app.manifest.contract.state import check_state
from widgets_app.manifest.contract.widgets import breaks_entry, check_widget, check_widgets

BREAKING: Final = frozenset(
    {
        "widget-not-object",
        "name-missing",
        "endpoint-missing",
        "look",
        "app-not-object",
        "app-name-missing",
        "app-tabs-missing",
        "agent-not-object",
        "agent-name-missing",
        "agent-query-missing",
    }
)


def as_imported(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings as they count for an imported definition: only what breaks the entry stays an error."""
    return [
        replace(finding, severity="warning")
        if finding.severity == "error" and finding.code not in BREAKING
        else finding
        for finding in findings
    ]


__all__ = [
    "BREAKING",
    "RESERVED_PATHS",
    "Finding",
    "Severity",
    "as_imported",
    "breaks_agent",
    "breaks_app",
    "breaks_entry",
    "check_agent",
    "check_agents",
    "check_app",
    "check_apps",
    "check_chart_view",
    "check_render_fn_params",
    "check_sparkline",
    "check_state",
    "check_widget",
    "check_widgets",
    "cron_problem",
    "is_reserved",
]
