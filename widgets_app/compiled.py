"""Published documents, compiled: what a request needs of them, worked out once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from pydantic import ValidationError

from widgets_app.errors import DefinitionError, RequestError, SourceFailed
from widgets_app.manifest import contract, document
from widgets_app.manifest.contract.endpoints import is_absolute, path_of
from widgets_app.models import Source
from widgets_app.parameters.types import ParameterSpec, flatten, specs_of
from widgets_app.sealing import unseal
from widgets_app.shapes.base import Shape, ShapeOptions
from widgets_app.shapes.registry import shape_for
from widgets_app.sources.base import Limits, PreparedQuery, SourceBackend
from widgets_app.sources.frame import Cut
from widgets_app.sources.limits import Slots
from widgets_app.sources.registry import backend_class
from widgets_app.sources.static import StaticQuery

logger = logging.getLogger(__name__)

# What Workspace assumes where a widget has no staleTime.
STALE_SECONDS = 300.0
MB = 1024 * 1024
# The longest time for which anything is kept.
LONGEST_SECONDS = 30 * 24 * 3600.0
APP_DEFAULTS: Mapping[str, Any] = {"allowCustomization": True, "groups": [], "prompts": []}
# What a chart asks for below its endpoint: TradingView's Universal Data Feed.
UDF_TYPES = frozenset({"advanced_charting", "advanced-chart"})
UDF_CALLS = ("config", "search", "symbols", "symbol_info", "history", "time", "marks", "timescale_marks", "quotes")


@dataclass(frozen=True, slots=True)
class Action:
    """What pressing a button of a form does; an empty `button` is any that has no action of its own."""

    source: str
    does: str = "append"
    button: str = ""
    function: str = ""
    once_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A form whose fields are sent here."""

    name: str
    path: str
    specs: tuple[ParameterSpec, ...]
    buttons: tuple[str, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A published widget."""

    id: str
    version: int
    definition: Mapping[str, Any]
    path: str | None
    option_paths: frozenset[str]
    specs: tuple[ParameterSpec, ...]
    shape: Shape | None
    options: ShapeOptions | None
    query: str | None
    data_key: str
    stale_seconds: float
    upstream: str | None = None
    passed_paths: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    forms: tuple[Form, ...] = ()

    @property
    def calls_functions(self) -> bool:
        """Whether a form of it calls functions, which may change its data unseen."""
        return any(action.function for form in self.forms for action in form.actions)

    def visible(self, groups: frozenset[str]) -> bool:
        """Say whether callers with these groups may see it."""
        return not self.groups or not self.groups.isdisjoint(groups)


@dataclass(frozen=True, slots=True)
class AppEntry:
    """A published app."""

    slug: str
    definition: Mapping[str, Any]
    groups: frozenset[str]

    def visible(self, groups: frozenset[str]) -> bool:
        """Say whether callers with these groups may see it."""
        return not self.groups or not self.groups.isdisjoint(groups)


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """A published agent; `passed_paths` lead to its upstream."""

    id: str
    definition: Mapping[str, Any]
    upstream: str | None
    passed_paths: frozenset[str]
    groups: frozenset[str]
    # An agent's answer is never kept.
    stale_seconds: float = 0

    def visible(self, groups: frozenset[str]) -> bool:
        """Say whether callers with these groups may see it."""
        return not self.groups or not self.groups.isdisjoint(groups)


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source that is ready for queries; it stays open across compilations for as long as it is unchanged."""

    settings: tuple[Any, ...]
    backend: SourceBackend | None
    fault: str
    limits: Limits
    slots: Slots

    @property
    def name(self) -> str:
        """The name under which queries and widgets refer to it."""
        name: str = self.settings[0]
        return name


@dataclass(frozen=True, slots=True)
class PublishedQuery:
    """A published query; `fault` says why it can't run, where it can't."""

    name: str
    version: int
    text: str
    source: OpenSource | None
    limits: Limits
    cache_seconds: float | None
    options_path: str
    prepared: PreparedQuery | None
    fault: str
    cron: str = ""

    def told_limit(self, rows: int, cut_by: Cut) -> str:
        """Say how many rows are left of a result that a limit cut, which one that is, and where it is set."""
        told = {
            "rows": f'row limit of {self.limits.rows}, set at the query "{self.name}" or its source',
            "bytes": f'size limit of {self.limits.bytes // MB} MB, set at the source of the query "{self.name}"',
            "page": "most rows on one page; ask for the next one",
            "answers": f'pages that the query "{self.name}" may read, or largest answer of its source',
        }
        return f"{rows} rows; {told[cut_by]}"

    def ready(self) -> PreparedQuery:
        """Return it ready to run; what failed when it was compiled, such as a missing file, may work by now."""
        if self.prepared is not None:
            return self.prepared
        if self.source is None or self.source.backend is None:
            raise SourceFailed(self.fault)
        try:
            return prepare(self.source.backend, self.text)
        except DefinitionError as error:
            raise SourceFailed(f'Query "{self.name}" can\'t run: {error}') from error


@contextmanager
def foreseen(what: str) -> Iterator[None]:
    """Turn whatever else goes wrong with one definition or source into DefinitionError; the log tells all of it.

    A database that is away is no fault of theirs.
    """
    try:
        yield
    except (DefinitionError, DatabaseError, InterfaceError):
        raise
    except RequestError as error:
        raise DefinitionError(str(error)) from error
    except Exception as error:
        logger.exception("The %s can't be used", what)
        raise DefinitionError(
            "It fails for a reason that only the log tells. Take its last change back, or ask who runs this backend."
        ) from error


def entry_of(version: int, text: str) -> Entry:
    """Compile a widget's document. Raises DefinitionError when Workspace would refuse the whole file over it."""
    published = document.load(text)
    widget_id, definition = published["id"], published["definition"]
    upstream = published.get("upstream")
    is_page = is_own_page(effective_type(definition), upstream)
    definition = as_served(definition, upstream=upstream, imported=bool(published.get("imported")))
    if finding := contract.breaks_entry(widget_id, definition):
        raise DefinitionError(f"{finding.message} {finding.fix}")
    data = definition.get("data")
    shape = shape_for(effective_type(definition))
    return Entry(
        id=widget_id,
        version=version,
        definition=_flat(definition) if settings.WIDGETS_FLAT_PARAMS else definition,
        path=None if is_page else local_path(definition.get("endpoint")),
        option_paths=_option_paths(definition),
        specs=specs_of(definition.get("params")),
        shape=shape,
        options=options_of(shape, published.get("shape")),
        query=published.get("feeds", {}).get("rows"),
        data_key=_text(data.get("dataKey")) if isinstance(data, dict) else "",
        stale_seconds=_passed_seconds(definition) if upstream else _seconds(definition.get("staleTime")),
        upstream=upstream,
        passed_paths=_passed_paths(definition) if upstream else frozenset(),
        forms=() if upstream else tuple(_forms(definition, published.get("forms") or {})),
    )


def _forms(definition: Mapping[str, Any], done: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Form]:
    """Yield the forms of a widget that do something here."""
    for param in flatten(definition.get("params")):
        actions, path = done.get(_text(param.get("paramName"))), local_path(param.get("endpoint"))
        if param.get("type") == "form" and actions and path:
            fields = flatten(param.get("inputParams"))
            yield Form(
                name=param["paramName"],
                path=path,
                specs=specs_of(fields),
                buttons=tuple(_text(field.get("paramName")) for field in fields if field.get("type") == "button"),
                actions=tuple(Action(**action) for action in actions),
            )


def is_own_page(kind: str | None, upstream: object) -> bool:
    """Say whether a widget shows the page at its endpoint, and has no data of its own there."""
    return kind == "iframe" and not upstream


def as_served(definition: Mapping[str, Any], *, upstream: object, imported: bool) -> Mapping[str, Any]:
    """Return a definition as clients get it: one that was made here in the form that Workspace documents."""
    if imported:
        return definition
    endpoint, source = definition.get("endpoint"), definition.get("source")
    changed: dict[str, Any] = {}
    if isinstance(source, str):
        changed["source"] = [source]
    # A page has its whole address.
    if is_own_page(effective_type(definition), upstream) and local_path(endpoint):
        changed["endpoint"] = urljoin(f"{settings.PUBLIC_URL}/", str(endpoint).lstrip("/"))
    return {**definition, **changed} if changed else definition


def app_as_served(definition: Mapping[str, Any], *, imported: bool) -> Mapping[str, Any]:
    """Return an app as clients get it: one that was made here has what some builds of Workspace ask of every app."""
    missing = {} if imported else {key: value for key, value in APP_DEFAULTS.items() if definition.get(key) is None}
    return {**definition, **missing}


def _flat(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a definition whose parameters stand in one list: who merges backends with openbb-api can't have rows."""
    params = definition.get("params")
    if not isinstance(params, list) or not any(isinstance(item, list) for item in params):
        return definition
    flat = [param for item in params for param in (item if isinstance(item, list) else [item])]
    return {**definition, "params": flat}


def effective_type(definition: Mapping[str, Any]) -> str | None:
    """Return what a definition counts as: its type, or the older key for it."""
    kind = definition.get("type", definition.get("defaultViz"))
    return kind if isinstance(kind, str) else None


def options_of(shape: Shape | None, options: object) -> ShapeOptions | None:
    """Return the options of a shape; raises DefinitionError for the first one that is wrong."""
    if shape is None:
        return None
    try:
        return shape.Options.model_validate(options or {})
    except ValidationError as error:
        raise DefinitionError(f"Look: {first_fault(error)}") from None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(milliseconds: object, *, otherwise: float = STALE_SECONDS) -> float:
    if not isinstance(milliseconds, int | float) or isinstance(milliseconds, bool) or milliseconds < 0:
        return otherwise
    # In this order: integers in JSON may be larger than any float.
    return min(milliseconds, LONGEST_SECONDS * 1000) / 1000


def _passed_seconds(definition: Mapping[str, Any]) -> float:
    """Return for how long an upstream's answer may be kept: only where the widget says so, and nothing changes it."""
    changes = any(param.get("type") == "form" for param in flatten(definition.get("params")))
    if changes or "staleTime" not in definition or effective_type(definition) in UDF_TYPES:
        return 0
    return _seconds(definition["staleTime"], otherwise=0)


def _parameters(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return all parameters of a widget, the fields of its forms too."""
    params = flatten(definition.get("params"))
    return [*params, *(field for param in params for field in flatten(param.get("inputParams")))]


def _option_paths(definition: Mapping[str, Any]) -> frozenset[str]:
    return _local_paths(param.get("optionsEndpoint") for param in _parameters(definition))


def _passed_paths(definition: Mapping[str, Any]) -> frozenset[str]:
    """Return every path that clients may ask for because the widget names it."""
    endpoint = definition.get("endpoint")
    named = [endpoint, definition.get("imgUrl")]
    named += [param.get(key) for param in _parameters(definition) for key in ("optionsEndpoint", "endpoint")]
    if effective_type(definition) in UDF_TYPES and isinstance(endpoint, str):
        named += [f"{endpoint.rstrip('/')}/{call}" for call in UDF_CALLS]
    return _local_paths(named)


def _local_paths(endpoints: Iterable[object]) -> frozenset[str]:
    return frozenset(path for endpoint in endpoints if (path := local_path(endpoint)))


def local_path(endpoint: object) -> str | None:
    """Return the path that an endpoint leads to on this backend, None if it leads elsewhere or nowhere."""
    if not isinstance(endpoint, str) or is_absolute(endpoint):
        return None
    return path_of(endpoint) or None


def app_of(slug: str, text: str, groups: frozenset[str]) -> AppEntry:
    """Compile an app's document. Raises DefinitionError when Workspace would refuse the whole file over it."""
    published = document.load(text)
    definition = app_as_served(published["app"], imported=bool(published.get("imported")))
    if finding := contract.breaks_app(definition):
        raise DefinitionError(f"{finding.message} {finding.fix}")
    return AppEntry(slug, definition, groups)


def agent_of(text: str, groups: frozenset[str]) -> AgentEntry:
    """Compile an agent's document. Raises DefinitionError when Workspace would refuse the whole file over it."""
    published = document.load(text)
    agent_id, definition = published["id"], published["agent"]
    if finding := contract.breaks_agent(agent_id, definition):
        raise DefinitionError(f"{finding.message} {finding.fix}")
    upstream = published.get("upstream")
    endpoints = definition.get("endpoints")
    paths = _local_paths(endpoints.values()) if upstream and isinstance(endpoints, dict) else frozenset()
    return AgentEntry(agent_id, definition, upstream, paths, groups)


def open_source(source: Source, known: OpenSource | None = None) -> OpenSource:
    """Open a source, or keep the open one when the settings are the same."""
    limits = Limits(seconds=source.seconds, rows=source.rows, bytes=source.megabytes * MB)
    wanted = (source.name, source.kind, source.options, source.secrets, source.slots)
    if known is not None and known.settings == wanted and known.backend is not None:
        return OpenSource(wanted, known.backend, "", limits, known.slots)
    try:
        backend, fault = open_backend(source), ""
    except DefinitionError as error:
        backend, fault = None, str(error)
    return OpenSource(wanted, backend, fault, limits, Slots(source.name, source.slots))


def open_backend(source: Source) -> SourceBackend:
    """Return the opened backend of a source; raises DefinitionError when it can't be opened."""
    kind = backend_class(source.kind)
    with foreseen(f"source {source.name}"):
        try:
            options = kind.Options.model_validate({**(source.options or {}), **unseal(source.secrets)})
        except ValidationError as error:
            raise DefinitionError(f"The source can't be opened: {first_fault(error)}") from None
        return kind.with_slots(source.name, options, slots=source.slots)


def prepare(backend: SourceBackend, text: str) -> PreparedQuery:
    """Return the text of a query ready to run; raises DefinitionError when it can't be used."""
    with foreseen(f"query of the source {backend.name}"):
        return backend.prepare(text)


def first_fault(error: ValidationError) -> str:
    """Return the first thing wrong with options, in one line."""
    first = error.errors()[0]
    text = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{'.'.join(str(part) for part in first['loc'])}: {text}."


def query_of(version: int, published: Mapping[str, Any], source: OpenSource | None) -> PublishedQuery:
    """Compile a query's document for its source; what keeps it from running becomes its fault."""
    limits = source.limits if source else Limits()
    try:
        prepared, fault = _prepare(published, source), ""
    except DefinitionError as error:
        prepared, fault = None, f'Query "{published["name"]}" can\'t run: {error}'
    return PublishedQuery(
        name=published["name"],
        version=version,
        text=published["text"],
        source=source,
        limits=replace(limits, seconds=published["seconds"] or limits.seconds, rows=published["rows"] or limits.rows),
        cache_seconds=published["cache_seconds"],
        options_path=published["options_path"],
        prepared=prepared,
        fault=fault,
        cron=published.get("cron", ""),
    )


def _prepare(published: Mapping[str, Any], source: OpenSource | None) -> PreparedQuery:
    if published["source"] is None:
        with foreseen(f"list of options {published['name']}"):
            return StaticQuery(option_rows(published["choices"]))
    if source is None:
        raise DefinitionError(f'there is no source "{published["source"]}".')
    if source.backend is None:
        raise DefinitionError(source.fault)
    return prepare(source.backend, published["text"])


def option_rows(choices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return fixed options as rows with the columns that options have."""
    return [{"value": choice.get("value"), "label": choice.get("label"), **_extra_info(choice)} for choice in choices]


def _extra_info(choice: Mapping[str, Any]) -> dict[str, Any]:
    info = choice.get("extraInfo")
    known = info if isinstance(info, dict) else {}
    return {name: known.get(name) for name in ("description", "rightOfDescription")}
