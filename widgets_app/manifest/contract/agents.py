"""What one entry of agents.json says. Agents run elsewhere; these entries only tell Workspace where."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from widgets_app.manifest.contract.endpoints import RESERVED_PATHS, check_free, is_absolute, is_web_address
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
    kind_of,
    listing,
    meant_key,
    show,
    step,
    under,
    warning,
    wrong_kind,
)
from widgets_app.manifest.contract.values import as_text, is_given
from widgets_app.vocabulary import AGENT_FEATURE_TYPES, AGENT_FEATURES, words

AGENT_ID: Final = re.compile(r"[a-z0-9-]+")
# Workspace's own examples have ids like this, though its schema does not.
_AGENT_ID_SEEN: Final = re.compile(r"[a-z0-9_-]+")
AGENT_KEYS: Final = frozenset({"name", "description", "image", "endpoints", "features"})
ENDPOINT_KEYS: Final = frozenset({"query"})
# What an example of Workspace's own has, and its documentation does not.
_UNDOCUMENTED: Final = frozenset({"feedback"})
# Switches from before there were features, with the feature that one of them became.
OLD_SWITCHES: Final[Mapping[str, str | None]] = {
    "hasStreaming": "streaming",
    "hasDocuments": None,
    "hasFunctionCalling": None,
}
_FEATURE_KINDS: Final[Mapping[str, Kind]] = {
    "label": "text",
    "description": "text",
    "placeholder": "text",
    "options": "list",
}
_FEATURE_KEYS: Final = frozenset({"default", "type", *_FEATURE_KINDS})


def breaks_agent(agent_id: str, agent: object) -> Finding | None:
    """Return what makes Workspace refuse this entry of agents.json whatever else it says, or None."""
    return next(_check_refusal(agent_id, agent), None)


def _check_refusal(agent_id: str, agent: object) -> Findings:
    if not isinstance(agent, dict):
        message = f"The entry {show(agent_id)} is {show(agent)} instead of an object."
        yield error("agent-not-object", "", message, fix="Write the definition of an agent, or take it out.")
        return
    if not is_text(agent.get("name")):
        message = "The agent has no name, and Workspace refuses agents without one."
        yield error("agent-name-missing", "name", message, fix='Set "name" to the title that people see.')
    if not is_text(as_object(agent.get("endpoints")).get("query")):
        message = "The agent does not say where questions are sent, so Workspace cannot ask it anything."
        fix = 'Write "endpoints": {"query": ...} with the address that answers questions.'
        yield error("agent-query-missing", "endpoints.query", message, fix=fix)


def check_agent(agent_id: str, agent: object) -> list[Finding]:
    """Return everything there is to say about one entry of agents.json."""
    findings = list(_check_refusal(agent_id, agent))
    if isinstance(agent, dict):
        findings += _check_id(agent_id)
        findings += _check_keys(agent)
        findings += under("endpoints", _check_endpoints(as_object(agent.get("endpoints"))))
        findings += under("features", _check_features(as_object(agent.get("features"))))
    return findings


def check_agents(agents: Mapping[str, object]) -> dict[str, list[Finding]]:
    """Return the findings of every entry of an agents.json by its id, those between entries included."""
    findings = {key: check_agent(key, agent) for key, agent in agents.items()}
    names = {key: name for key, agent in agents.items() if is_text(name := as_object(agent).get("name"))}
    counts = Counter(names.values())
    for key, name in names.items():
        if counts[name] > 1:
            message = f"{counts[name]} agents are named {show(name)}, so people cannot tell them apart."
            findings[key].append(warning("agent-name-shared", "name", message, fix="Give each agent its own name."))
    return findings


def _check_id(agent_id: str) -> Findings:
    if AGENT_ID.fullmatch(agent_id):
        return
    if _AGENT_ID_SEEN.fullmatch(agent_id):
        message = f"Workspace's schema has no _ in ids such as {show(agent_id)}, but its own examples do."
        yield info("agent-id", "", message, fix="Write - instead if Workspace does not take the agent.")
    else:
        message = f"The id {show(agent_id)} has other characters than small letters, digits and -."
        yield warning("agent-id", "", message, fix="Choose a plain id; apps that select the agent follow.")


def _check_keys(agent: Mapping[str, object]) -> Findings:
    yield from check_kinds(agent, {"endpoints": "object", "features": "object", "image": "text"})
    yield from check_spelling(agent, AGENT_KEYS)
    if not is_text(agent.get("description")):
        message = "The agent has no description, so nobody can tell what it is good for."
        yield error("agent-description", "description", message, fix="Say what the agent does.")
    image = agent.get("image")
    if isinstance(image, str) and not is_web_address(image):
        message = f"The image is {show(image)}, which is not a whole address."
        yield warning("agent-image", "image", message, fix="Write an address that starts with https://, or null.")
    if agent.get("features") is None:
        message = "The agent does not say what it can do, and Workspace wants that."
        yield error("agent-features-missing", "features", message, fix='Write "features": {"streaming": true}.')
    yield from _check_others(agent, AGENT_KEYS)


def _check_others(item: Mapping[str, object], known: frozenset[str]) -> Findings:
    """Report the keys that a closed set does not have."""
    for key in [key for key in item if key not in known and not meant_key(key, item, known)]:
        if key in _UNDOCUMENTED:
            message = f"{show(key)} stands in an example of Workspace's own, but not in its documentation."
            yield info("agent-key-unknown", step(key), message, fix="Keep it if your Workspace uses it.")
        elif key in OLD_SWITCHES:
            message = f"{show(key)} is a switch from before agents had features, and Workspace no longer knows it."
            feature = f'Set "{OLD_SWITCHES[key]}" in "features"' if OLD_SWITCHES[key] else 'Say it in "features"'
            yield warning("agent-key-legacy", step(key), message, fix=f"{feature}, and take it out.")
        else:
            message = f"Workspace knows {listing(sorted(known))} here, but no {show(key)}, and may refuse the agent."
            yield warning("agent-key-unknown", step(key), message, fix="Take it out.")


def _check_endpoints(endpoints: Mapping[str, object]) -> Findings:
    query = endpoints.get("query")
    if isinstance(query, str) and is_absolute(query) and not is_web_address(query):
        message = f"{show(query)} is not an address that a browser can send questions to."
        yield error("agent-query", "query", message, fix="Write an address that starts with https://, or a path.")
    yield from check_free(query, key="query", reserved=RESERVED_PATHS)
    yield from _check_others(endpoints, ENDPOINT_KEYS)


def _check_features(features: Mapping[str, object]) -> Findings:
    known = words(AGENT_FEATURES)
    yield from check_kinds(features, dict.fromkeys(sorted(known), "flag"))
    yield from check_spelling(features, known)
    for name, feature in features.items():
        if name not in known and not meant_key(name, features, known):
            yield from _check_feature(name, feature)


def _check_feature(name: str, feature: object) -> Findings:
    if isinstance(feature, dict):
        yield from under(name, _check_own(feature))
    elif not isinstance(feature, bool):
        yield wrong_kind(name, feature, "object")
    elif name not in _UNDOCUMENTED:
        message = f"{show(name)} is no feature of Workspace's, so people get no switch for it."
        fix = 'Write {"label": ..., "default": ..., "description": ...} to let people choose.'
        yield info("agent-feature-unknown", step(name), message, fix=fix)


def _check_own(feature: Mapping[str, object]) -> Findings:
    """Check a feature of the agent's own: a switch, a text or a choice that people are offered."""
    yield from check_kinds(feature, _FEATURE_KINDS)
    yield from check_spelling(feature, _FEATURE_KEYS)
    yield from check_word(feature, "type", AGENT_FEATURE_TYPES, code="agent-feature-type")
    missing = [key for key in ("label", "description") if not is_text(feature.get(key))]
    if missing:
        message = f"The feature has no {' and no '.join(missing)}, so people have to guess what it does."
        yield warning("agent-feature-texts", missing[0], message, fix="Say in a few words what it does.")
    kind, default = feature.get("type"), feature.get("default")
    if kind == "select":
        yield from _check_choices(feature)
    elif is_given(default) and kind in (None, "text") and kind_of(default) != (wanted := kind or "flag"):
        yield wrong_kind("default", default, "text" if wanted == "text" else "flag")


def _check_choices(feature: Mapping[str, object]) -> Findings:
    options, default = as_list(feature.get("options")), feature.get("default")
    if not options:
        message = "The feature is a choice, and there is nothing to choose from."
        yield error("agent-feature-options", "options", message, fix='List {"label": ..., "value": ...} in "options".')
    values = []
    for index, option in enumerate(options):
        label, value = as_object(option).get("label"), as_object(option).get("value")
        if not is_text(label) or not is_given(value) or isinstance(value, dict | list):
            message = f"The choice is {show(option)} instead of a label and a value."
            place = f"options{step(index)}"
            yield error("agent-feature-options", place, message, fix='Write {"label": ..., "value": ...}.')
        else:
            values.append(as_text(value))
    if is_given(default) and as_text(default) not in values:
        message = f"The default {show(default)} is none of the choices."
        yield warning("agent-feature-default", "default", message, fix="Choose the value of one of the choices.")
