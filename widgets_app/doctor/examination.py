"""The examination: its steps in order, each standing on what the ones before have found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from widgets_app.doctor import addresses, apps, calls, cors, keys, manifests, reach, refresh
from widgets_app.doctor.probe import Limits, Prober
from widgets_app.doctor.redaction import cleaned
from widgets_app.doctor.report import Report, in_order
from widgets_app.doctor.visit import Progress, Stop, Target, Visit
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import info

Step = Callable[[Visit], Iterable[Finding]]
# Of one code, so many findings are told one by one: a backend with 10,000 widgets may have one fault 10,000 times.
SAME_CODE = 25
STEPS: tuple[tuple[str, Step], ...] = (
    ("the address", reach.check),
    ("its lists of widgets, apps and agents", manifests.check),
    ("what browsers may do", cors.check),
    ("the key", keys.check),
    ("every widget", calls.check),
    ("the apps", apps.check),
    ("how data refreshes", refresh.check),
)


def examine(target: Target, *, limits: Limits | None = None, progress: Progress = lambda *_: None) -> Report:
    """Examine a backend. `progress` is told what is looked at now, with how much of it is done and of how much."""
    limits = limits or Limits()
    found: list[Finding] = []
    base = addresses.read(target, found)
    if base is None:
        return _report(target, target.url, {"requests": 0}, found)
    prober = Prober(limits, private_hosts=frozenset({base.host}))
    visit = Visit(target, prober, base, progress)
    try:
        with suppress(Stop):
            for name, step in STEPS:
                progress(name, 0, 1)
                found.extend(step(visit))
        found.extend(_spent(visit))
    finally:
        prober.close()
    checked = {"requests": prober.calls, **visit.checked}
    return _report(target, visit.base.url.rstrip("/"), checked, _bounded(found))


def _report(target: Target, url: str, checked: Mapping[str, int], found: Iterable[Finding]) -> Report:
    secrets = [*target.headers.values(), *target.query.values()]
    return Report(url, checked, in_order(cleaned(finding, secrets) for finding in found))


def _spent(visit: Visit) -> Iterator[Finding]:
    limits = visit.prober.limits
    if visit.prober.is_spent:
        yield info(
            "not-all-asked",
            "",
            f"The examination ends after {limits.seconds:g} s or {limits.calls:,} requests: not everything was asked.",
            fix="Mend what was found, then examine it again; a slow backend is asked less in the time.",
        )


def _bounded(findings: Iterable[Finding]) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.code] += 1
        if counts[finding.code] <= SAME_CODE:
            yield finding
    for code, count in counts.items():
        if count > SAME_CODE:
            yield info(
                "more-of-the-same",
                "",
                f"There are {count - SAME_CODE:,} more findings of the code {code}.",
                fix="Mend those that are shown, then examine the backend again.",
            )
