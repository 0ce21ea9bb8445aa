"""Bundles: definitions as files, of this backend or of any other, and their way in and out."""

from __future__ import annotations

from widgets_app.services.bundles.bundle import Bundle, Reported
from widgets_app.services.bundles.collecting import Named, fetched, from_files, from_inputs, host_of
from widgets_app.services.bundles.exporting import Selection, bundle_export, write_folder, zipped
from widgets_app.services.bundles.findings import Group, backend_findings, grouped
from widgets_app.services.bundles.importing import ImportRefused, Options, bundle_import, bundle_plan
from widgets_app.services.bundles.planning import KINDS, Plan, Step
from widgets_app.services.bundles.waiting import Waiting, waiting_forget, waiting_keep, waiting_open, waiting_tidy

__all__ = [
    "KINDS",
    "Bundle",
    "Group",
    "ImportRefused",
    "Named",
    "Options",
    "Plan",
    "Reported",
    "Selection",
    "Step",
    "Waiting",
    "backend_findings",
    "bundle_export",
    "bundle_import",
    "bundle_plan",
    "fetched",
    "from_files",
    "from_inputs",
    "grouped",
    "host_of",
    "waiting_forget",
    "waiting_keep",
    "waiting_open",
    "waiting_tidy",
    "write_folder",
    "zipped",
]
