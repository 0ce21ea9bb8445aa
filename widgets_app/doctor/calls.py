"""Every widget is called as Workspace calls it, with its defaults, and what comes back is looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator

from widgets_app.doctor import bodies, frames
from widgets_app.doctor.cors import unreadable
from widgets_app.doctor.keys import error_text
from widgets_app.doctor.probe import MB, Seen
from widgets_app.doctor.questions import Question, questions
from widgets_app.doctor.visit import Stop, Visit
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import as_object, error, info, is_number, warning

SLOW_SECONDS = 5
LARGE_BYTES = 10 * MB
SWITCHING = 101


def check(visit: Visit) -> Iterator[Finding]:
    """Ask everything that the widgets lead to, each request once."""
    asked = _questions(visit)
    visit.checked["data"] = sum(one.what == "data" for one in asked)
    visit.checked["options"] = sum(one.what == "options" for one in asked)
    yield from visit.each("every widget", lambda one: list(_answer(visit, one)), asked)


def _questions(visit: Visit) -> list[Question]:
    found: dict[str, Question] = {}
    for key, definition in visit.widgets.items():
        for one in questions(key, as_object(definition)):
            if visit.is_here(one.endpoint) and (one.what != "form" or visit.target.send_forms):
                same = json.dumps([one.what, one.endpoint, one.method, dict(one.query), one.body, _looks(visit, one)])
                found.setdefault(same, one)
    return list(found.values())


def _looks(visit: Visit, one: Question) -> object:
    """Return what decides how a body is read: two widgets may show the same data in two forms."""
    definition = as_object(visit.widgets[one.widget])
    return [definition.get("type"), definition.get("data")] if one.what in ("data", "raw") else None


def _answer(visit: Visit, one: Question) -> Iterator[Finding]:
    try:
        seen = visit.ask(one.endpoint, query=one.query, method=one.method, headers=one.headers, body=one.body)
    except Stop:
        return
    yield from _pace(one, seen)
    if seen.fault:
        yield _broken(one, seen)
    elif one.what == "form":
        yield from _form(one, seen)
    elif one.what == "live":
        yield from _live(one, seen)
    elif seen.status != 200:
        yield from _status(one, seen)
    else:
        yield from _ok(visit, one, seen)


def _ok(visit: Visit, one: Question, seen: Seen) -> Iterator[Finding]:
    definition = as_object(visit.widgets[one.widget])
    if one.what == "page":
        yield from frames.check(visit, one, seen)
        return
    if not seen.headers.get("access-control-allow-origin"):
        yield unreadable(visit, one.place)
    if one.what == "data":
        yield from _kept(one, definition.get("refetchInterval"), seen)
    # One at a time: a large body takes many times its size while it is read.
    with visit.reading:
        said = list(bodies.check(one, definition, seen))
    for severity, code, message, fix in said:
        yield Finding(severity, code, one.place, message, fix)


def _pace(one: Question, seen: Seen) -> Iterator[Finding]:
    if seen.seconds > SLOW_SECONDS and not seen.fault:
        message = (
            f"The answer took {seen.seconds:.1f} s; people wait for it each time, and clients give up at some time."
        )
        yield warning("slow", one.place, message, fix="Ask for less by default, or keep the result for a while.")
    if len(seen.content) > LARGE_BYTES:
        message = f"The answer has {len(seen.content) / MB:.1f} MB, which browsers need seconds to read and show."
        fix = "Give it a limit by default, or make it a table paged by the server (ssrm_table)."
        yield warning("large", one.place, message, fix=fix)


def _kept(one: Question, refetch: object, seen: Seen) -> Iterator[Finding]:
    control = seen.headers.get("cache-control", "").lower().replace(" ", "")
    age = next((part.removeprefix("max-age=") for part in control.split(",") if part.startswith("max-age=")), "")
    wanted = refetch if is_number(refetch) and refetch is not False else 900_000
    if age.isdecimal() and int(age) * 1000 > wanted and "no-cache" not in control:
        message = f"Browsers keep the answer for {int(age):,} s (Cache-Control), longer than until the next refresh."
        yield warning(
            "browser-keeps", one.place, message, fix='Answer with "Cache-Control: no-store" or a shorter time.'
        )


def _broken(one: Question, seen: Seen) -> Finding:
    if seen.fault == "timeout":
        message = f"There was no whole answer: {seen.message}"
        return error("data-timeout", one.place, message, fix="Ask for less by default, or make the query faster.")
    if seen.fault == "too-large":
        message = f"The answer does not end in time: {seen.message}"
        return error("data-too-large", one.place, message, fix="Limit it, or make it a table paged by the server.")
    return error("data-broken", one.place, f"There is no whole answer: {seen.message}", fix="Read the backend's log.")


def _status(one: Question, seen: Seen) -> Iterator[Finding]:
    said = error_text(seen.content)
    told = f" It says: {said}" if said else ""
    if seen.is_redirect:
        yield _redirect(one, seen)
    elif seen.status == 204:
        message = "It answers 204 without a body, and Workspace has nothing to read."
        yield warning("empty-204", one.place, message, fix="Answer 200 with [] where there are no rows.")
    elif seen.status in (401, 403):
        message = f"The key that opens the list of widgets is refused here ({seen.status}).{told}"
        yield error("data-key", one.place, message, fix="Have every route take the same key.")
    elif seen.status in (404, 405):
        message = f"It answers {seen.status} to {one.method} {one.endpoint}.{told}"
        fix = f"See that the path is right, below the address, and that the route takes {one.method}."
        yield error("data-missing", one.place, message, fix=fix)
    elif one.empty and (seen.status in (400, 422) or "prompt" in one.empty):
        names = ", ".join(one.empty)
        message = f"Without a value for {names} it answers {seen.status}, so the widget opens with an error.{told}"
        yield warning("data-needs-value", one.place, message, fix=f"Give {names} a default, or answer without it.")
    else:
        message = f"With its own defaults it answers {seen.status}, so the widget shows an error.{told}"
        yield error("data-failed", one.place, message, fix="Read the backend's log; answer 200 with the defaults.")
    if seen.status >= 400 and not said:
        message = f'The error {seen.status} has no text that Workspace and Excel show: they read "detail" and "error".'
        yield warning("error-body", one.place, message, fix='Answer {"detail": "...", "error": "..."}, in one line.')


def _redirect(one: Question, seen: Seen) -> Finding:
    fix = "Write the endpoint as the backend wants it, with or without slash."
    if seen.url.startswith("https:") and seen.headers["location"].startswith("http:"):
        message = f"It redirects ({seen.status}) from https to http, where browsers don't follow."
        return error("redirect", one.place, message, fix=f"{fix} Tell the backend that it is behind HTTPS.")
    message = f"It redirects ({seen.status}): each request is made twice, and not every client follows."
    return warning("redirect", one.place, message, fix=fix)


def _form(one: Question, seen: Seen) -> Iterator[Finding]:
    """Look at the answer to a form without a value and without a pressed button."""
    if seen.status in (401, 403, 404, 405) or seen.is_redirect:
        yield from _status(one, seen)
    elif seen.status >= 500:
        message = f"An empty form is answered with {seen.status} instead of a sentence about what is missing."
        yield error("form-failed", one.place, message, fix='Answer 400 with {"error": "..."} for what can\'t be taken.')
    elif seen.status == 200:
        message = "A form without any value and without a pressed button is taken."
        yield info("form-takes-empty", one.place, message, fix="Refuse what says nothing, with 400 and an error.")
    elif seen.status == 400 and not error_text(seen.content):
        message = 'The form is refused without a text: Workspace shows what "error" says.'
        yield warning("form-error-text", one.place, message, fix='Answer 400 with {"error": "..."}.')
    elif seen.status != 400:
        message = f"The form is answered with {seen.status}; Workspace knows 200 for taken, and 400 with an error."
        yield warning("form-status", one.place, message, fix="Answer exactly 200, or 400 with an error.")


def _live(one: Question, seen: Seen) -> Iterator[Finding]:
    if seen.status != SWITCHING:
        message = f"The WebSocket is refused with {seen.status}, so the table never changes after its first rows."
        fix = (
            "See that the server takes WebSockets at this path, from Workspace's origin, and lets them through proxies."
        )
        yield error("live-refused", one.place, message, fix=fix)
