"""What a bundle is: documents of every kind, from the manifests of any backend or from an export of this one.

The manifests are Workspace's own files. `backend.json` is ours and holds what they can't say:
`{"format": 1, "groups": [name], "sources": [...], "queries": [...], "widgets": {id: {...}}, "apps": [...],
"agents": {id: {...}}}`, where the last three say what this backend keeps about each entry of the manifests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from widgets_app.compiled import first_fault
from widgets_app.errors import DefinitionError
from widgets_app.manifest import diff
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import show
from widgets_app.manifest.keys import storable
from widgets_app.manifest.reading import ID_LENGTH
from widgets_app.schedules import schedule_problem

Document = dict[str, Any]

FORMAT = 1
SLUG = r"^[-a-zA-Z0-9_]+$"


def _stored(text: str) -> str:
    if not storable(text, None):
        raise ValueError("NUL and half characters can't be kept")
    return text


def _followed(text: str) -> str:
    if text and (problem := schedule_problem(text)):
        raise ValueError(problem)
    return text


Text = Annotated[str, AfterValidator(_stored)]
GroupName = Annotated[Text, Field(min_length=1, max_length=150)]
WIDGETS, APPS, AGENTS, BACKEND = "widgets.json", "apps.json", "agents.json", "backend.json"


@dataclass(frozen=True, slots=True)
class Reported:
    """A finding with the file and the definition that it is about; `blocks` says that it may not be published so."""

    file: str
    kind: str
    name: str
    finding: Finding
    blocks: bool = False


@dataclass
class Bundle:
    """Documents by their kind, in order.

    A widget's document from another backend has `id` and `definition` only: what a file does not say stays as it is.
    `files` says which file a kind came from; what it lacks of that kind is what pruning removes.
    """

    groups: list[str] = field(default_factory=list)
    sources: list[Document] = field(default_factory=list)
    queries: list[Document] = field(default_factory=list)
    widgets: list[Document] = field(default_factory=list)
    apps: list[Document] = field(default_factory=list)
    agents: list[Document] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    left_out: list[Reported] = field(default_factory=list)


@dataclass
class Files:
    """The parsed files of a bundle: each name with what it holds, sorted by what it is."""

    found: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)

    def add(self, name: str, content: Any) -> None:
        """Take a file. Raises DefinitionError when it holds something else than its name promises."""
        kind = kind_of(name, content)
        _CHECKS[kind](name, content)
        self.found.setdefault(kind, []).append((name, content))

    def bundle(self) -> Bundle:
        """Return the documents. Raises DefinitionError when two files define the same."""
        if not self.found:
            raise DefinitionError(f"There is nothing to import: no {WIDGETS}, {APPS}, {AGENTS} or {BACKEND}.")
        kept = self._backend()
        bundle = Bundle(
            groups=list(kept.get("groups", [])), sources=kept.get("sources", []), queries=kept.get("queries", [])
        )
        bundle.files = {_KINDS[file]: ", ".join(name for name, _ in found) for file, found in self.found.items()}
        if BACKEND in self.found:
            bundle.files |= dict.fromkeys(("source", "query"), bundle.files["backend"])
        bundle.widgets = self._entries(bundle, WIDGETS, "definition", kept.get("widgets", {}))
        bundle.agents = self._entries(bundle, AGENTS, "agent", kept.get("agents", {}))
        bundle.apps = self._apps(bundle, kept.get("apps", []))
        return bundle

    def _backend(self) -> Document:
        found = self.found.get(BACKEND, [])
        if len(found) > 1:
            raise DefinitionError(f"{found[0][0]} and {found[1][0]} both describe a backend. Import one at a time.")
        return _backend_of(*found[0]) if found else {}

    def _entries(self, bundle: Bundle, file: str, key: str, kept: Mapping[str, Document]) -> list[Document]:
        """Return the documents of entries that are known by an id."""
        documents: dict[str, Document] = {}
        origins: dict[str, str] = {}
        for name, content in self.found.get(file, []):
            for entry_id, entry in content.items():
                document = {**kept.get(entry_id, {}), "id": entry_id, key: entry}
                _check_id(name, _KINDS[file], entry_id)
                if not isinstance(entry, dict):
                    bundle.left_out.append(_left_out(name, _KINDS[file], entry_id, entry))
                elif entry_id in documents and diff.show(documents[entry_id]) != diff.show(document):
                    raise DefinitionError(f"{origins[entry_id]} and {name} both define {show(entry_id)}, differently.")
                else:
                    documents[entry_id], origins[entry_id] = document, name
        return list(documents.values())

    def _apps(self, bundle: Bundle, kept: list[Document]) -> list[Document]:
        """Return the documents of apps: what is kept about one belongs to the next app of its name."""
        waiting: dict[str, list[Document]] = {}
        for about in kept:
            waiting.setdefault(diff.show(about.get("name")), []).append(about)
        documents: list[Document] = []
        for name, content in self.found.get(APPS, []):
            for number, app in enumerate(content if isinstance(content, list) else [content]):
                if not isinstance(app, dict):
                    bundle.left_out.append(_left_out(name, "app", f"[{number}]", app))
                    continue
                known = waiting.get(diff.show(app.get("name")), [])
                documents.append({**(known.pop(0) if known else {}), "app": app})
        return [{key: value for key, value in document.items() if key != "name"} for document in documents]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SourceEntry(_Strict):
    """A source; its secrets are not part of any file."""

    name: Annotated[str, Field(pattern=SLUG, max_length=100)]
    kind: Annotated[Text, Field(min_length=1, max_length=20)]
    description: Annotated[Text, Field(max_length=255)] = ""
    options: dict[str, Any] | None = None
    seconds: int = 30
    rows: int = 100_000
    megabytes: int = 64
    slots: int = 4


class QueryEntry(_Strict):
    """A query."""

    name: Annotated[str, Field(pattern=SLUG, max_length=100)]
    description: Annotated[Text, Field(max_length=255)] = ""
    source: str | None = None
    text: Text = ""
    cache_seconds: Annotated[int, Field(ge=0, le=30 * 24 * 3600)] | None = None
    cron: Annotated[Text, Field(max_length=100), AfterValidator(_followed)] = ""
    seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    rows: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    options_path: Annotated[Text, Field(max_length=200)] = ""
    choices: list[dict[str, Any]] = []
    published: bool = True


class Kept(_Strict):
    """What is kept here about an entry of a manifest."""

    groups: list[GroupName] = []
    imported: bool = True
    published: bool = True


class KeptAgent(Kept):
    """What is kept about an agent."""

    upstream: str | None = None


class KeptAction(_Strict):
    """What a button of a form does."""

    source: str
    does: Literal["append", "change", "delete", "function"] = "append"
    button: Annotated[Text, Field(max_length=255)] = ""
    function: Annotated[Text, Field(max_length=255)] = ""
    once_seconds: Annotated[int, Field(ge=1, le=24 * 3600)] | None = None

    @model_validator(mode="after")
    def _function_where_one_is_called(self) -> KeptAction:
        if (self.does == "function") != bool(self.function):
            raise ValueError('"function" names the function of an action that does "function", and of no other')
        return self


class KeptWidget(KeptAgent):
    """What is kept about a widget."""

    shape: dict[str, Any] | None = None
    feeds: dict[Literal["rows"], str] = {}
    forms: dict[Text, list[KeptAction]] = {}


class KeptApp(Kept):
    """What is kept about an app; `name` is what its entry says, which tells apps apart."""

    slug: Annotated[str, Field(pattern=SLUG, max_length=255)]
    name: Any = None


class BackendFile(_Strict):
    """A backend.json."""

    format: Literal[1]
    groups: list[GroupName] = []
    sources: list[SourceEntry] = []
    queries: list[QueryEntry] = []
    widgets: dict[str, KeptWidget] = {}
    apps: list[KeptApp] = []
    agents: dict[str, KeptAgent] = {}


def kind_of(name: str, content: Any) -> str:
    """Return which of the files this is, by its name, else by what it holds."""
    if named := named_kind(name):
        return named
    if isinstance(content, dict) and "format" in content and "sources" in content:
        return BACKEND
    if isinstance(content, list):
        return APPS
    return AGENTS if _looks_like_agents(content) else WIDGETS


def named_kind(name: str) -> str | None:
    """Return which of the files the name of a file, with folders or without, says that it is."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    return next((kind for word, kind in _NAMES.items() if word in base), None)


# Parts of file names; the older names of two of them too.
_NAMES = {"widgets": WIDGETS, "apps": APPS, "templates": APPS, "agents": AGENTS, "copilots": AGENTS, "backend": BACKEND}
_KINDS = {WIDGETS: "widget", APPS: "app", AGENTS: "agent", BACKEND: "backend"}


def _left_out(file: str, kind: str, name: str, entry: Any) -> Reported:
    message = f"The entry is {show(entry)} instead of an object, so it can't be kept and is left out."
    finding = Finding("error", f"{kind}-not-object", "", message, "Write the definition, or take the entry out.")
    return Reported(file, kind, name, finding)


def _check_id(file: str, kind: str, entry_id: str) -> None:
    if not entry_id or not storable(entry_id, ID_LENGTH):
        raise DefinitionError(
            f"{file}: The {kind} {show(entry_id)} can't be kept: an id has 1 to {ID_LENGTH} characters, none of them "
            "NUL or half a character. Give it another one."
        )


def _check_widgets(name: str, content: Any) -> None:
    if isinstance(content, list):
        like = " It looks like a list of apps: call it apps.json." if _looks_like_apps(content) else ""
        raise DefinitionError(f"{name}: This is a list, and {WIDGETS} is an object with an entry per widget.{like}")
    _check_object(name, content, WIDGETS)
    if _looks_like_agents(content):
        raise DefinitionError(f"{name}: This looks like agents, not widgets. Call it agents.json.")
    if content and not any(isinstance(entry, dict) for entry in content.values()):
        raise DefinitionError(f"{name}: No entry is an object, so these are no widgets.")


def _check_agents(name: str, content: Any) -> None:
    _check_object(name, content, AGENTS)
    if content and not any(isinstance(entry, dict) for entry in content.values()):
        raise DefinitionError(f"{name}: No entry is an object, so these are no agents.")


def _check_apps(name: str, content: Any) -> None:
    if isinstance(content, dict) and not ("tabs" in content or "layout" in content):
        raise DefinitionError(f"{name}: This is an object without tabs, and {APPS} is a list of apps.")
    if not isinstance(content, list | dict):
        raise DefinitionError(f"{name}: This is {show(content)}, and {APPS} is a list of apps.")
    if isinstance(content, list) and content and not any(isinstance(app, dict) for app in content):
        raise DefinitionError(f"{name}: No entry is an object, so these are no apps.")


def _check_object(name: str, content: Any, file: str) -> None:
    if not isinstance(content, dict):
        raise DefinitionError(f"{name}: This is {show(content)}, and {file} is an object with an entry per id.")


def _check_backend(name: str, content: Any) -> None:
    _check_object(name, content, BACKEND)
    if content.get("format") != FORMAT:
        raise DefinitionError(f"{name}: Its format is {show(content.get('format'))}; this backend reads {FORMAT}.")
    _backend_of(name, content)


def _backend_of(name: str, content: Any) -> Document:
    """Return a backend.json as documents; what it does not say is left out, but for queries, which are whole."""
    try:
        parsed = BackendFile.model_validate(content)
    except ValidationError as error:
        raise DefinitionError(f"{name}: {first_fault(error)} Export the backend again, or mend it.") from None
    for kind, names in (
        ("source", [source.name for source in parsed.sources]),
        ("query", [query.name for query in parsed.queries]),
        ("app", [app.slug for app in parsed.apps]),
    ):
        _refuse_twice(name, kind, names)
    document: Document = parsed.model_dump(exclude_unset=True)
    return document | {"queries": [_query_document(query) for query in parsed.queries]}


def _query_document(query: QueryEntry) -> Document:
    document: Document = query.model_dump()
    # As export writes it: a query without a schedule has no such member.
    return document if query.cron else {key: value for key, value in document.items() if key != "cron"}


def _refuse_twice(file: str, kind: str, names: Sequence[str]) -> None:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DefinitionError(f'{file}: The {kind} "{twice[0]}" is there twice. Leave one.')


_CHECKS: Mapping[str, Callable[[str, Any], None]] = {
    WIDGETS: _check_widgets,
    APPS: _check_apps,
    AGENTS: _check_agents,
    BACKEND: _check_backend,
}


def _looks_like_apps(content: list[Any]) -> bool:
    return any(isinstance(item, dict) and ("tabs" in item or "layout" in item) for item in content)


def _looks_like_agents(content: Any) -> bool:
    entries = list(content.values()) if isinstance(content, dict) else []
    return bool(entries) and all(isinstance(entry, dict) and "endpoints" in entry for entry in entries)
