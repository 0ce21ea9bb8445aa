"""What one entry of apps.json says, and how it fits the widgets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from widgets_app.manifest.contract.endpoints import is_web_address
from widgets_app.manifest.contract.findings import (
    Finding,
    Findings,
    Kind,
    as_list,
    as_object,
    check_kinds,
    check_spelling,
    check_word,
    error,
    info,
    is_text,
    listing,
    not_an_object,
    show,
    step,
    under,
    warning,
)
from widgets_app.manifest.contract.groups import check_groups
from widgets_app.manifest.contract.layout import check_layout, is_known, placements_of
from widgets_app.vocabulary import MCP_AUTH_TYPES

_KINDS: Final[Mapping[str, Kind]] = {
    "description": "text",
    "allowCustomization": "flag",
    "groups": "list",
    "prompts": "list",
    "img": "text",
    "img_dark": "text",
    "img_light": "text",
    "id": "text",
    "selected_agent": "text",
    "authentication": "text",
    "mcp_servers": "list",
    "layout": "list",
}
APP_KEYS: Final = frozenset({"name", "tabs", *_KINDS})
_IMAGES: Final = ("img", "img_dark", "img_light")
_APP_ID: Final = re.compile(r"custom-.+", re.DOTALL)
# A mention of a widget, also where the closing bracket is missing.
_MENTION: Final = re.compile(r"@\[(?:(?!@\[)[^\]])*+\]?")


def breaks_app(app: object) -> Finding | None:
    """Return what makes Workspace refuse this entry of apps.json whatever else it says, or None."""
    return next(_check_refusal(app), None)


def _check_refusal(app: object) -> Findings:
    if not isinstance(app, dict):
        message = f"The app is {show(app)} instead of an object."
        yield error("app-not-object", "", message, fix="Write the definition of an app, or take it out.")
        return
    if not is_text(app.get("name")):
        message = "The app has no name, and Workspace refuses apps without one."
        yield error("app-name-missing", "name", message, fix='Set "name" to the title that people see.')
    tabs = app.get("tabs")
    if not (isinstance(tabs, dict) and tabs) and not (tabs is None and isinstance(app.get("layout"), list)):
        message = "The app has no tabs, and Workspace refuses apps without one."
        fix = 'Write "tabs": {"main": {"id": "main", "name": "Main", "layout": [...]}}.'
        yield error("app-tabs-missing", "tabs", message, fix=fix)


def check_app(app: object, widgets: Mapping[str, object], agents: Collection[str] | None = None) -> list[Finding]:
    """Return everything there is to say about one entry of apps.json, given the widgets.json it goes with.

    `agents` are the ids of the agents.json beside it; without them nothing is said about the agent it selects.
    """
    findings = list(_check_refusal(app))
    if isinstance(app, dict):
        placements = placements_of(app)
        findings += _check_keys(app)
        findings += _check_agent(app.get("selected_agent"), agents)
        findings += _check_tabs(as_object(app.get("tabs")))
        findings += check_layout(placements, widgets)
        findings += check_groups(app, placements, widgets)
        findings += under("prompts", _check_prompts(as_list(app.get("prompts")), widgets))
        findings += under("mcp_servers", _check_servers(as_list(app.get("mcp_servers"))))
    return findings


def check_apps(
    apps: Sequence[object], widgets: Mapping[str, object], agents: Collection[str] | None = None
) -> list[list[Finding]]:
    """Return the findings of every entry of an apps.json in order, those between entries included."""
    findings = [check_app(app, widgets, agents) for app in apps]
    names = [name if is_text(name := as_object(app).get("name")) else None for app in apps]
    counts = Counter(names)
    for name, found in zip(names, findings, strict=True):
        if name and counts[name] > 1:
            message = f"{counts[name]} apps are named {show(name)}, so people cannot tell them apart."
            found.append(warning("app-name-shared", "name", message, fix="Give each app its own name."))
    return findings


def _check_keys(app: Mapping[str, object]) -> Findings:
    yield from check_kinds(app, _KINDS)
    yield from check_spelling(app, APP_KEYS)
    if not is_text(app.get("description")):
        message = "The app has no description, so people see only its name when they choose."
        yield warning("app-description", "description", message, fix="Say what the app is for.")
    if all(app.get(key) is None for key in _IMAGES):
        message = "The app has no image, so its card stays empty."
        yield warning("app-image", "img", message, fix='Set "img", or "img_dark" and "img_light", to addresses.')
    if missing := [key for key in ("allowCustomization", "groups", "prompts") if app.get(key) is None]:
        message = f"Some builds of Workspace refuse apps without {listing(missing)}."
        fix = 'Write "allowCustomization": true, "groups": [] or "prompts": [] when there is nothing to say.'
        yield warning("app-key-missing", missing[0], message, fix=fix)
    if app.get("id") is not None:
        yield from _check_id(app["id"])
    if app.get("tabs") is None and isinstance(app.get("layout"), list):
        message = "A layout outside of tabs is the old form of an app."
        yield warning("app-layout-legacy", "layout", message, fix='Move it into "tabs".')


def _check_agent(agent_id: object, agents: Collection[str] | None) -> Findings:
    if agents is not None and is_text(agent_id) and agent_id not in agents:
        message = f"There is no agent {show(agent_id)} here; without it the app opens with no agent selected."
        fix = "Write the id of an agent, unless it is one of Workspace's own."
        yield warning("app-agent-unknown", "selected_agent", message, fix=fix)


def _check_id(app_id: object) -> Findings:
    if isinstance(app_id, str) and not _APP_ID.fullmatch(app_id):
        message = f'The id {show(app_id)} does not start with "custom-", so Workspace refuses the app.'
        yield error("app-id", "id", message, fix='Take "id" out.')
    else:
        message = "An app needs no id, and openbb-api fails on apps that have one."
        yield warning("app-id-given", "id", message, fix='Take "id" out.')


def _check_tabs(tabs: Mapping[str, object]) -> Findings:
    for key, tab in tabs.items():
        yield from under("tabs", under(key, _check_tab(key, tab)))


def _check_tab(key: str, tab: object) -> Findings:
    if not isinstance(tab, dict):
        yield not_an_object("The tab", tab)
        return
    if tab.get("id") != key:
        message = f"The tab {show(key)} has the id {show(tab.get('id'))}, but Workspace wants them equal."
        yield error("tab-id", "id", message, fix=f'Set "id" to {show(key)}.')
    if not isinstance(tab.get("name"), str):
        message = "The tab has no name to show."
        yield error("tab-name", "name", message, fix='Set "name" to its title.')
    if not isinstance(tab.get("layout"), list):
        message = "The tab does not list its widgets."
        yield error("tab-layout", "layout", message, fix='Set "layout" to a list, [] while it is empty.')


def _check_prompts(prompts: list[object], widgets: Mapping[str, object]) -> Findings:
    for index, prompt in enumerate(prompts):
        if not isinstance(prompt, str):
            message = f"The prompt is {show(prompt)} instead of a text."
            yield error("wrong-type", step(index), message, fix="Write a text.")
            continue
        yield from under(index, _check_mentions(prompt, widgets))


def _check_mentions(prompt: str, widgets: Mapping[str, object]) -> Findings:
    for mention in dict.fromkeys(match.group() for match in _MENTION.finditer(prompt)):
        widget_id = mention.removeprefix("@[id:").removesuffix("]")
        if not mention.startswith("@[id:"):
            message = f"{show(mention)} is not how a prompt names a widget; people see it as it stands."
            yield info("prompt-mention", "", message, fix="If a widget is meant, write @[id:...] with its id.")
        elif not mention.endswith("]") or not widget_id.strip():
            message = f"{show(mention)} begins to name a widget but names none; people see the raw text."
            yield warning("prompt-mention", "", message, fix="Write @[id:...] with the id of a widget.")
        elif not is_known(widget_id, widgets):
            message = f"The prompt names {show(widget_id)}, which is no widget here; people see the raw text."
            yield warning("prompt-widget-unknown", "", message, fix="Write the id of a widget.")


def _check_servers(servers: list[object]) -> Findings:
    names: set[str] = set()
    for index, server in enumerate(servers):
        if not isinstance(server, dict):
            yield from under(index, [not_an_object("The MCP server", server)])
            continue
        yield from under(index, check_word(server, "authType", MCP_AUTH_TYPES, code="mcp-auth-type"))
        if not is_text(server.get("name")):
            message = "The MCP server has no name."
            yield error("mcp-name-missing", f"[{index}].name", message, fix='Set "name".')
        elif server["name"] in names:
            message = f"An earlier MCP server is named {show(server['name'])} too, so tools cannot tell them apart."
            yield warning("mcp-name-shared", f"[{index}].name", message, fix="Give each server its own name.")
        else:
            names.add(server["name"])
        if not is_web_address(server.get("url")):
            message = f"The address of the MCP server is {show(server.get('url'))}, which is not a whole address."
            yield error("mcp-url", f"[{index}].url", message, fix="Write an address that starts with https://.")
