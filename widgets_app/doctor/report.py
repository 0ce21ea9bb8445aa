"""What an examination has found, in the order in which people should read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from widgets_app.manifest.contract import Finding

RANK = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome for one backend: `checked` counts what was looked at, by kind."""

    url: str
    checked: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(finding.severity == "error" for finding in self.findings)

    def count(self, severity: str) -> int:
        """Return how many findings are this serious."""
        return sum(finding.severity == severity for finding in self.findings)

    def alike(self) -> list[list[Finding]]:
        """Return the findings that say the same about several places together, errors first."""
        found: dict[tuple[str, str, str], list[Finding]] = {}
        for finding in self.findings:
            found.setdefault((finding.code, finding.message, finding.fix), []).append(finding)
        return list(found.values())

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "url": self.url,
            "ok": self.ok,
            "checked": dict(self.checked),
            "findings": [asdict(finding) for finding in self.findings],
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return each finding once, errors first, otherwise in the order in which they were found."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: RANK[finding.severity]))
