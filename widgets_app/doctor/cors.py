"""What a browser lets the page of Workspace do: preflights on each kind of route, and the headers of answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from widgets_app.doctor.manifests import WIDGETS
from widgets_app.doctor.probe import Seen
from widgets_app.doctor.questions import Question, questions
from widgets_app.doctor.visit import Visit, is_private
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import as_object, error, info, show, warning

STRANGER = "https://stranger.example"
NOTHING = "this-is-no-widget"
OPEN_FIX = "Allow the page on every route: CORS_ALLOWED_ORIGINS of this backend, CORSMiddleware of FastAPI."
PREFLIGHT_FIX = "Have CORS answered before everything else, with 200 or 204, on every route."


class Route(NamedTuple):
    """A route to look at, one for each kind there is."""

    name: str
    endpoint: str
    method: str


def check(visit: Visit) -> Iterator[Finding]:
    """Look at one route of each kind."""
    for route in _routes(visit):
        yield from _preflight(visit, route)
    yield from _allowed(visit, WIDGETS, visit.manifest, "")
    yield from _stranger(visit)
    yield from _errors(visit)
    yield from _private_network(visit)


def _routes(visit: Visit) -> list[Route]:
    found: dict[tuple[str, str], Route] = {("manifest", "GET"): Route("the manifest", WIDGETS, "GET")}
    for key, definition in visit.widgets.items():
        for question in questions(key, as_object(definition)):
            if question.what in ("data", "options", "form") and visit.is_here(question.endpoint):
                found.setdefault((question.what, question.method), _route(question))
    # Without a header of its own, a browser asks nothing before a GET.
    return [route for route in found.values() if visit.target.headers or route.method == "POST"]


def _route(question: Question) -> Route:
    return Route(question.what, question.endpoint, question.method)


def _preflight(visit: Visit, route: Route) -> Iterator[Finding]:
    seen = visit.preflight(route.endpoint, route.method)
    place = f"OPTIONS {route.endpoint}"
    if seen.fault:
        return
    if seen.is_redirect:
        message = "The preflight is redirected, and browsers follow no redirect there: the request is never made."
        yield error(
            "preflight-redirect", place, message, fix="Answer where it is asked: no redirect for a slash or HTTPS."
        )
    elif seen.status in (401, 403):
        message = (
            f"The preflight is answered with {seen.status}: it is asked for a key, which browsers never send there."
        )
        yield error("preflight-key", place, message, fix="Answer OPTIONS before the key is looked at.")
    elif seen.status not in (200, 204):
        message = f"The preflight is answered with {seen.status}, so the browser never makes the request itself."
        yield error("preflight-status", place, message, fix=PREFLIGHT_FIX)
    else:
        yield from _allowed(visit, place, seen, "preflight-")
        yield from _preflight_lists(visit, place, route, seen)


def _preflight_lists(visit: Visit, place: str, route: Route, seen: Seen) -> Iterator[Finding]:
    allowed = _names(seen, "access-control-allow-headers")
    asked = visit.asked_headers.split(",")
    # A star doesn't cover Authorization, and none with credentials.
    missing = [name for name in asked if name not in allowed and not ("*" in allowed and name != "authorization")]
    if missing:
        message = f"The preflight does not allow the header {', '.join(missing)}, so the browser never sends it."
        fix = "Answer Access-Control-Allow-Headers with the names that Access-Control-Request-Headers asks for."
        yield error("preflight-headers", place, message, fix=fix)
    methods = _names(seen, "access-control-allow-methods")
    if route.method == "POST" and methods and "post" not in methods and "*" not in methods:
        message = (
            "The preflight does not allow POST, which forms and tables paged by the server need; browsers forgive it."
        )
        yield warning("preflight-methods", place, message, fix="Add POST to Access-Control-Allow-Methods.")


def _names(seen: Seen, header: str) -> set[str]:
    return {name.strip().lower() for name in seen.headers.get(header, "").split(",") if name.strip()}


def _allowed(visit: Visit, place: str, seen: Seen, prefix: str) -> Iterator[Finding]:
    """Say whether the page may read this answer."""
    origin, allowed = visit.target.origin, seen.headers.get("access-control-allow-origin", "")
    if not allowed:
        yield unreadable(visit, place, f"{prefix or 'cors-'}origin")
    elif "," in allowed or " " in allowed:
        message = f"Access-Control-Allow-Origin is {show(allowed)}, but browsers take one origin only."
        yield error("cors-origin-list", place, message, fix="Set the header once: to the origin that asks.")
    elif allowed not in (origin, "*"):
        message = f"Only {allowed} may read the answer, not {origin}."
        yield error(f"{prefix or 'cors-'}origin", place, message, fix=OPEN_FIX)
    elif allowed == "*" and seen.headers.get("access-control-allow-credentials", "").lower() == "true":
        message = "Every origin is allowed together with credentials, which browsers refuse when credentials are sent."
        yield warning("cors-star-credentials", place, message, fix="Answer with the origin that asks instead of *.")
    elif allowed == origin and "origin" not in _names(seen, "vary") and "*" not in _names(seen, "vary"):
        message = (
            "The allowed origin depends on who asks, but Vary does not say so: a cache may give it to another page."
        )
        yield warning("cors-vary", place, message, fix='Answer with "Vary: Origin" too.')


def unreadable(visit: Visit, place: str, code: str = "cors-origin") -> Finding:
    """Return the finding about an answer without the header that lets a page read it."""
    message = f"Nothing says that {visit.target.origin} may read the answer, so browsers keep it from Workspace."
    return error(code, place, message, fix=OPEN_FIX)


def _stranger(visit: Visit) -> Iterator[Finding]:
    seen = visit.ask(WIDGETS, headers={"Origin": STRANGER})
    allowed = seen.headers.get("access-control-allow-origin", "")
    if allowed == STRANGER and seen.headers.get("access-control-allow-credentials", "").lower() == "true":
        message = "Every page of the internet may read what the cookies and the network of its visitors open."
        report = warning if "set-cookie" in seen.headers else info
        yield report("cors-anybody", WIDGETS, message, fix="Allow Workspace's origins only.")


def _errors(visit: Visit) -> Iterator[Finding]:
    """See whether an error can be read: without CORS on it, people see "network error" instead of its text."""
    seen = visit.ask(NOTHING)
    if seen.fault or seen.status < 400:
        return
    if not seen.headers.get("access-control-allow-origin"):
        message = (
            f"Errors ({seen.status}) come without CORS headers, so people see a network error instead of their text."
        )
        yield warning("cors-on-errors", NOTHING, message, fix="Add the CORS headers to answers of every status.")


def _private_network(visit: Visit) -> Iterator[Finding]:
    if not is_private(visit.base.host):
        return
    seen = visit.preflight(WIDGETS, "GET", private_network=True)
    is_refused = not seen.fault and seen.status >= 400
    if is_refused and visit.preflight(WIDGETS, "GET").status != seen.status:
        message = (
            f"A preflight that names the local network is answered with {seen.status}. Older versions of Chrome send "
            "it; newer ones ask the user instead."
        )
        fix = 'Answer it as any other, with "Access-Control-Allow-Private-Network: true", for those.'
        yield info("private-network", f"OPTIONS {WIDGETS}", message, fix=fix)
