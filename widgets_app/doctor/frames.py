"""Pages that widgets show in a frame: may they be framed by Workspace?"""

from __future__ import annotations

from collections.abc import Iterator

from widgets_app.doctor.probe import Seen
from widgets_app.doctor.questions import Question
from widgets_app.doctor.visit import Visit
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import error, warning

ANCESTORS = "frame-ancestors"


def check(visit: Visit, one: Question, seen: Seen) -> Iterator[Finding]:
    """Look at the headers that decide about frames, and at the type."""
    ancestors = _ancestors(seen.headers.get("content-security-policy", ""))
    if ancestors is not None:
        if not _allows(ancestors, visit.target.origin):
            message = f"The page may be framed by {' '.join(ancestors) or 'nobody'} only (Content-Security-Policy)."
            yield error("frame-refused", one.place, message, fix=f"Add {visit.target.origin} to frame-ancestors.")
    elif seen.headers.get("x-frame-options", "").strip().upper() in ("DENY", "SAMEORIGIN"):
        message = f"The page refuses to be framed: X-Frame-Options is {seen.headers['x-frame-options']}."
        fix = f"Leave the header out, and answer with Content-Security-Policy: {ANCESTORS} {visit.target.origin}"
        yield error("frame-refused", one.place, message, fix=fix)
    if seen.kind != "text/html":
        message = f"The page comes as {seen.kind or 'nothing'} instead of text/html, and browsers may offer to save it."
        yield warning("page-type", one.place, message, fix='Answer with the header "Content-Type: text/html".')


def _ancestors(policy: str) -> list[str] | None:
    for directive in policy.split(";"):
        name, *values = directive.split() or [""]
        if name.lower() == ANCESTORS:
            return values
    return None


def _allows(ancestors: list[str], origin: str) -> bool:
    scheme, _, host = origin.partition("://")
    return any(_matches(allowed.lower().rstrip("/"), scheme, host) for allowed in ancestors)


def _matches(allowed: str, scheme: str, host: str) -> bool:
    if allowed in ("*", f"{scheme}:", host, f"{scheme}://{host}"):
        return True
    given, _, pattern = allowed.rpartition("://")
    return given in ("", scheme) and pattern.startswith("*.") and host.endswith(pattern[1:])
