"""The lists of widgets, apps and agents: are they JSON, of the right form, and right in what they say?"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from typing import Any

from widgets_app.doctor.probe import Seen
from widgets_app.doctor.visit import Stop, Visit
from widgets_app.errors import DefinitionError
from widgets_app.manifest import contract
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import as_object, at, error, info, show, warning
from widgets_app.manifest.parsing import parse

WIDGETS, APPS, AGENTS = "widgets.json", "apps.json", "agents.json"
# What JavaScript and Python write, and JSON has not.
NO_NUMBERS = ("NaN", "Infinity")
# Widgets that are looked at: the time for the others would be missing for asking.
MOST_WIDGETS = 3_000
# What people see of a widget, and what it shows.
SHOWN = ("name", "type", "endpoint", "params", "data")


def check(visit: Visit) -> Iterator[Finding]:
    """Read the three lists; raises Stop where there are no widgets to go on with."""
    found = yield from _document(WIDGETS, visit.manifest)
    if not isinstance(found, dict):
        if found is not None:
            message = f"{WIDGETS} is {show(found)}, but Workspace reads an object with an entry for each widget."
            yield error("widgets-not-object", WIDGETS, message, fix='Answer {"my_widget": {"name": ...}}.')
        raise Stop
    visit.widgets = dict(islice(found.items(), MOST_WIDGETS))
    visit.checked["widgets"] = len(found)
    if len(found) > MOST_WIDGETS:
        message = f"Of {len(found):,} widgets the first {MOST_WIDGETS:,} are looked at."
        yield info("not-all-asked", WIDGETS, message, fix="Give this key fewer widgets: nobody finds one among these.")
    if not found:
        message = "The list of widgets is empty: nothing is published, or nothing that this key may see."
        yield warning("widgets-none", WIDGETS, message, fix="Publish a widget, or use a key that may see some.")
    yield from _widgets(visit)
    yield from _apps(visit)
    yield from _agents(visit)


def _document(name: str, seen: Seen) -> Generator[Finding, None, Any]:
    """Return what a list says; nothing where it can't be read."""
    try:
        found = parse(seen.content, name=name)
    except DefinitionError as fault:
        yield _unreadable(name, str(fault))
        return None
    if "json" not in seen.kind:
        message = f"{name} comes as {seen.kind or 'nothing'} instead of application/json, which some clients refuse."
        yield warning("json-type", name, message, fix='Answer with the header "Content-Type: application/json".')
    if _may_be_kept(seen):
        message = f"Browsers may keep {name} (Cache-Control), so a refresh in Workspace shows old definitions."
        yield warning("manifest-kept", name, message, fix='Answer with "Cache-Control: no-cache".')
    return found


def _unreadable(name: str, fault: str) -> Finding:
    place, _, reason = fault.partition(": ")
    if "web page" in reason:
        message = f"{name} is a web page instead of JSON: a page to sign in, of a proxy, or of something else."
        return error("json-is-page", name, message, fix="Check the address, and who stands in front of the backend.")
    code = "json-nan" if any(word in reason for word in NO_NUMBERS) else "json-invalid"
    message = f"{place}: {reason} Workspace can't read the file."
    return error(code, name, message, fix="Mend this place; have the file written by a JSON library.")


def _may_be_kept(seen: Seen) -> bool:
    control = seen.headers.get("cache-control", "").lower()
    ages = [part.partition("=")[2].strip() for part in control.split(",") if part.strip().startswith("max-age")]
    return any(age.isdecimal() and int(age) > 0 for age in ages) and "no-cache" not in control


def _widgets(visit: Visit) -> Iterator[Finding]:
    said = contract.check_widgets(visit.widgets, reserved=frozenset())
    for key, findings in said.items():
        yield from at(f"{WIDGETS}: {key}", contract.as_imported(findings))
    yield from _alike(visit.widgets)


def _alike(widgets: Mapping[str, Any]) -> Iterator[Finding]:
    """Find widgets that nobody can tell apart, and ids that clients may take for one."""
    shown: dict[str, str] = {}
    folded: dict[str, str] = {}
    for key, definition in widgets.items():
        same = json.dumps([as_object(definition).get(member) for member in SHOWN])
        if (other := shown.setdefault(same, key)) != key:
            message = f"{show(other)} and {show(key)} have the same name, type, data and parameters."
            yield warning("widgets-alike", f"{WIDGETS}: {key}", message, fix="Take one out, or say what differs.")
        if (other := folded.setdefault(key.lower(), key)) != key:
            message = (
                f"The ids {show(other)} and {show(key)} differ in upper and lower case only, and are taken for one."
            )
            yield warning("ids-alike", f"{WIDGETS}: {key}", message, fix="Give one of them another id.")


def _apps(visit: Visit) -> Iterator[Finding]:
    seen = visit.ask(APPS)
    if seen.status in (404, 405):
        message = f"There is no {APPS}. Some versions of Workspace show that as a failed connection."
        yield warning("apps-missing", APPS, message, fix=f"Answer {APPS} with [], an empty list.")
        return
    if (failed := _failed(APPS, seen)) is not None:
        yield failed
        return
    found = yield from _document(APPS, seen)
    if isinstance(found, dict):
        message = f"{APPS} is an object, and Workspace refuses anything but a list of apps."
        yield error("apps-not-list", APPS, message, fix="Put it between [ and ].")
    elif found is not None and not isinstance(found, list):
        yield error("apps-not-list", APPS, f"{APPS} is {show(found)}, not a list of apps.", fix="Answer a list, [].")
    visit.apps = found if isinstance(found, list) else []
    visit.checked["apps"] = len(visit.apps)


def _agents(visit: Visit) -> Iterator[Finding]:
    seen = visit.ask(AGENTS)
    if seen.status in (404, 405):
        return  # only asked for where somebody adds agents
    if (failed := _failed(AGENTS, seen)) is not None:
        yield failed
        return
    found = yield from _document(AGENTS, seen)
    if isinstance(found, dict):
        visit.agents = found
        visit.checked["agents"] = len(found)
        for key, findings in contract.check_agents(found).items():
            yield from at(f"{AGENTS}: {key}", contract.as_imported(findings))
    elif found is not None:
        message = f"{AGENTS} is {show(found)}, but Workspace reads an object with an entry for each agent."
        yield error("agents-not-object", AGENTS, message, fix="Answer {} where there is none.")


def _failed(name: str, seen: Seen) -> Finding | None:
    if seen.status == 200 and not seen.fault:
        return None
    if seen.is_redirect:
        message = f"{name} is redirected, and a browser follows no redirect of the preflight before it."
        return error("redirect", name, message, fix="Answer it where it is asked for.")
    said = seen.message or f"It answers {seen.status} instead of 200."
    return error("manifest-failed", name, f"{name}: {said}", fix="Read the log of the backend.")
