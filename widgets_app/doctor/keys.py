"""Is a key asked for, everywhere, and is it looked at? What do people see who have none?"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from widgets_app.doctor.manifests import WIDGETS
from widgets_app.doctor.probe import Seen
from widgets_app.doctor.questions import questions
from widgets_app.doctor.visit import WRONG, Visit
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import as_object, error, info, warning

ONE_LINE = 500


def check(visit: Visit) -> Iterator[Finding]:
    """Try without a key, and with a wrong one."""
    if not visit.has_credentials:
        message = "No key was given, and none is asked for: whoever reaches this address sees everything."
        yield info("key-not-used", "key", message, fix="Ask for a key, unless the data is public.")
        return
    without = visit.ask(WIDGETS, credentials=False)
    yield from _without(visit, without)
    if without.status != 200:
        yield from _wrong(visit)
        yield from _data(visit)


def _without(visit: Visit, seen: Seen) -> Iterator[Finding]:
    if seen.status == 200:
        message = "The list of widgets is answered without the key too, so the key protects nothing there."
        yield warning("key-not-asked", WIDGETS, message, fix="Answer 401 where the key is missing.")
    elif seen.is_redirect:
        message = "Without a key it redirects, probably to a page to sign in, and the browser shows a network error."
        yield error("key-redirect", WIDGETS, message, fix="Answer 401 instead.")
    elif seen.status and seen.status != 401:
        message = f"Without a key it answers {seen.status}; 401 is what tells people that one is missing."
        yield warning("key-missing-status", WIDGETS, message, fix="Answer 401 where the key is missing.")
    yield from _readable(visit, seen)


def _wrong(visit: Visit) -> Iterator[Finding]:
    target = visit.target
    headers = {name: _spoiled(value) for name, value in target.headers.items()}
    query = dict.fromkeys(target.query, WRONG)
    seen = visit.ask(WIDGETS, headers=headers, query=query, credentials=False)
    if seen.status == 200:
        message = "A wrong key is taken as well as the right one: it is asked for, but not looked at."
        yield error("key-not-checked", WIDGETS, message, fix="Compare the key with those that were issued.")
    elif seen.status == 401:
        message = "A wrong key is answered with 401 as a missing one is; 403 tells people that the key itself is wrong."
        yield info("key-wrong-status", WIDGETS, message, fix="Answer 403 for a wrong key.")
    elif seen.status and seen.status != 403:
        message = f"A wrong key is answered with {seen.status}; 403 tells people that the key is wrong."
        yield warning("key-wrong-status", WIDGETS, message, fix="Answer 403 for a wrong key.")


def _spoiled(value: str) -> str:
    scheme, blank, _ = value.partition(" ")
    return f"{scheme} {WRONG}" if blank and scheme.lower() in ("bearer", "basic", "token") else WRONG


def _data(visit: Visit) -> Iterator[Finding]:
    """See whether data asks for the key as the list of widgets does."""
    for key, definition in visit.widgets.items():
        for question in questions(key, as_object(definition)):
            if question.what == "data" and question.method == "GET" and visit.is_here(question.endpoint):
                seen = visit.ask(question.endpoint, query=question.query, credentials=False)
                if seen.status == 200:
                    message = "The list of widgets asks for a key, but the data is answered without one."
                    yield error("data-unprotected", question.place, message, fix="Ask for the key on every route.")
                return


def _readable(visit: Visit, seen: Seen) -> Iterator[Finding]:
    """See whether people can read why they were refused."""
    if seen.fault or seen.status < 400:
        return
    if not seen.headers.get("access-control-allow-origin"):
        message = f"The answer {seen.status} comes without CORS headers, so people see a network error, not its text."
        yield warning("cors-on-refusals", WIDGETS, message, fix="Have CORS handled before the key is looked at.")
    if not error_text(seen.content):
        message = f'The answer {seen.status} has no text that Workspace and Excel show: they read "detail" and "error".'
        fix = 'Answer {"detail": "...", "error": "..."}, in one line.'
        yield warning("error-body", WIDGETS, message, fix=fix)


def error_text(content: bytes) -> str:
    """Return the text of an error that clients show; empty where there is none."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(found, dict):
        return ""
    texts = (found.get(name) for name in ("detail", "error"))
    return next((text[:ONE_LINE] for text in texts if isinstance(text, str) and text.strip()), "")
