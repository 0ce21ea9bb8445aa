"""The apps: are they right in themselves, and do they fit the widgets?"""

from __future__ import annotations

from collections.abc import Iterator

from widgets_app.doctor.manifests import APPS
from widgets_app.doctor.visit import Visit
from widgets_app.manifest import contract
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import as_object, at, show


def check(visit: Visit) -> Iterator[Finding]:
    """Say what the contract says about each app."""
    said = contract.check_apps(visit.apps, visit.widgets, visit.agents)
    for number, findings in enumerate(said):
        name = as_object(visit.apps[number]).get("name")
        yield from at(
            f"{APPS}: {show(name) if isinstance(name, str) else f'[{number}]'}", contract.as_imported(findings)
        )
