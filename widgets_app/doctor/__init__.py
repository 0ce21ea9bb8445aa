"""The doctor: asks a backend, this one or any other, what Workspace would ask, and says what is wrong with it.

`examine` is the only way in. It changes nothing but what sending empty forms may change, asks few things at once, and
ends within its limits. What it finds are `Finding`s, each with a code that `docs/troubleshooting.md` explains.
"""

from __future__ import annotations

from widgets_app.doctor.examination import examine
from widgets_app.doctor.probe import Limits
from widgets_app.doctor.report import Report
from widgets_app.doctor.visit import Target

__all__ = ["Limits", "Report", "Target", "examine"]
