"""Pages that run a widget as its clients do, or the draft of a query, and show what comes out."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import urlencode

from project.bridge import DISCONNECTED
from widgets_app import catalog, exceptions, serving
from widgets_app.admin.base import change_url
from widgets_app.admin.fields import Scalar
from widgets_app.admin.navigation import may_view
from widgets_app.admin.publishing import DefinitionAdmin, publish
from widgets_app.admin.theme import SelectInput, SwitchInput, TextInput, action
from widgets_app.authentication import HEADER, KEYS, Caller
from widgets_app.compiled import UDF_TYPES, Entry, PublishedQuery, effective_type, open_source, query_of
from widgets_app.errors import RequestError
from widgets_app.exports.door import export, is_exportable
from widgets_app.exports.formats import FORMATS
from widgets_app.manifest.widgets import query_document
from widgets_app.models import Query, Widget
from widgets_app.parameters.types import ParameterSpec, as_text, parse
from widgets_app.services import states
from widgets_app.serving import Asked, Served
from widgets_app.shapes.ssrm import PagedTable
from widgets_app.sources.base import KEY_PREFIX, Pieces, PreparedQuery
from widgets_app.sources.frame import Frame
from widgets_app.views import response_of

BODY_SHOWN = 20_000  # characters of a body
BODY_PRETTY = 1_000_000  # bytes of a body that is still laid out anew
BODY_READ = 4_000_000  # bytes of a body that are taken from an upstream
ROWS_SHOWN = 50  # rows of a query's result
CELL_SHOWN = 300  # characters of one cell; what is cut ends with dots
KEY_PLACEHOLDER = "your key"
# Types whose clients send the values as the body of a POST, and what they send besides.
SSRM_PAGE = {"startRow": 0, "endRow": 100, "sortModel": [], "filterModel": {}}
POSTED: Mapping[str | None, Mapping[str, Any]] = {
    "ssrm_table": SSRM_PAGE,
    "table_ssrm": SSRM_PAGE,
    "omni": {},
    "multi_file_viewer": {},
}
UDF_NOTE = "A chart of this type asks for several things below its endpoint. This is the first of them: /config."


class Answered(NamedTuple):
    """What was answered; `whole` is false where the rest of a large body was not read, `limit` says what cut rows."""

    content: bytes
    content_type: str
    frame: Frame | None = None
    status: int = 200
    whole: bool = True
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client would have got, and how long it took."""

    status: int
    milliseconds: int
    content_type: str
    content: bytes
    frame: Frame | None = None
    whole: bool = True
    limit: str = ""

    @property
    def age(self) -> str:
        """How old the data is, where it was not read just now."""
        seconds = int(time.time() - self.frame.made_at) if self.frame else 0
        return f"{seconds} s: a kept result" if seconds > self.milliseconds / 1000 else ""

    @property
    def body(self) -> str:
        """The body to read, cut at the limit."""
        text = self.content[: BODY_SHOWN * 4].decode("utf-8", "replace")
        if "json" in self.content_type and len(self.content) <= BODY_PRETTY:
            # What an upstream calls JSON may be none.
            with suppress(ValueError, RecursionError):
                text = json.dumps(json.loads(self.content), ensure_ascii=False, indent=2)
        return text[:BODY_SHOWN].encode("utf-8", "replace").decode()

    @property
    def cut(self) -> str:
        """What to say about the rest of a long body."""
        size = len(self.content)
        more = "" if self.whole else "more than "
        return f"The first {BODY_SHOWN:,} characters of {more}{size:,} bytes." if size > BODY_SHOWN else ""


def measured(answer: Callable[[], Answered]) -> Outcome:
    """Run something that answers; errors come out as clients see them."""
    started = time.perf_counter()
    try:
        given = answer()
    except Exception as error:
        refused = exceptions.handle(error, {"view": "the admin's run page"})
        given = Answered(_rendered(refused), "application/json", status=refused.status_code)
    milliseconds = round((time.perf_counter() - started) * 1000)
    return Outcome(given.status, milliseconds, given.content_type, given.content, given.frame, given.whole, given.limit)


def _rendered(response: Any) -> bytes:
    return bytes(response.content)


class RunForm(forms.Form):
    """One input per parameter; they are numbered, since parameters may have any name."""

    def __init__(self, specs: Sequence[ParameterSpec], data: Any) -> None:
        super().__init__(data, label_suffix="")
        self.specs = {f"value_{number}": spec for number, spec in enumerate(specs)}
        self.fields = {name: self.input_for(spec) for name, spec in self.specs.items()} | self.fields

    def input_for(self, spec: ParameterSpec) -> forms.Field:
        """Return the field of one parameter; its value is a text or JSON, or nothing."""
        raise NotImplementedError

    def values(self) -> dict[str, Any]:
        """Return what was filled in, by the name of the parameter."""
        data = self.cleaned_data
        return {spec.name: data[name] for name, spec in self.specs.items() if data[name] not in (None, "")}


class RunWidgetForm(RunForm):
    """What a client sends with a widget's request, and whose key it has."""

    theme = forms.ChoiceField(choices=[("dark", "Dark"), ("light", "Light")], widget=SelectInput(), required=False)
    raw = forms.BooleanField(widget=SwitchInput(), required=False, help_text="Ask for the rows behind a chart.")

    post = forms.BooleanField(
        widget=SwitchInput(),
        required=False,
        initial=True,
        label="Send by POST",
        help_text="The values as a JSON body, as Workspace sends them for this type.",
    )

    def __init__(self, entry: Entry, data: Any, keys: Iterable[tuple[str, str]]) -> None:
        super().__init__(entry.specs, data)
        posts = entry.upstream or isinstance(entry.shape, PagedTable)
        self.sent_besides = POSTED.get(effective_type(entry.definition)) if posts else None
        if self.sent_besides is None:
            del self.fields["post"]
        self.fields["seen_by"] = seen_by(keys, [("", "Somebody in all groups")])

    def input_for(self, spec: ParameterSpec) -> forms.Field:
        """Offer the choices of a parameter, or take its text as clients send it."""
        common: dict[str, Any] = {
            "label": spec.label or spec.name,
            "required": False,
            "initial": _initial(spec),
            "help_text": f"{spec.name}: {spec.expected}",
        }
        words = ["true", "false"] if spec.type == "boolean" else list(spec.choices or ())
        if words and not spec.several:
            choices = [("", "Nothing sent"), *((word, word) for word in words)]
            return forms.ChoiceField(choices=choices, widget=SelectInput(), **common)
        return forms.CharField(widget=TextInput(), strip=False, **common)

    def query(self) -> dict[str, str]:
        """Return the query of the request."""
        asked = self.values() | {"theme": self.cleaned_data["theme"] or "dark"}
        return asked | ({"raw": "true"} if self.cleaned_data["raw"] else {})

    def body(self) -> bytes | None:
        """Return the JSON body to be posted, None where the request is a GET."""
        if not self.cleaned_data.get("post"):
            return None
        values = {spec.name: _typed(spec, self.cleaned_data[name]) for name, spec in self.specs.items()}
        return json.dumps({**(self.sent_besides or {}), **values}, default=as_text).encode()


def seen_by(keys: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]]) -> forms.ChoiceField:
    """Return the field to choose a caller with."""
    return forms.ChoiceField(label="As seen by", choices=[*others, *keys], widget=SelectInput(), required=False)


def _initial(spec: ParameterSpec) -> str:
    """Return a parameter's default as clients send it: they work out relative dates themselves."""
    try:
        return as_text(parse(spec, spec.default, now=timezone.localtime()))
    except ValueError:
        return as_text(spec.default)


def _typed(spec: ParameterSpec, text: str) -> Any:
    """Return a value as JSON has it; what doesn't fit its parameter goes on as the text that it is."""
    if not text:
        return [] if spec.several else ""
    try:
        return parse(spec, text, now=timezone.localtime())
    except ValueError:
        return text


class RunQueryForm(RunForm):
    """A value for each placeholder of a query, and whose row values it gets, if it asks for any."""

    def __init__(self, prepared: PreparedQuery, data: Any, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__([ParameterSpec(name) for name in prepared.parameter_names], data)
        if prepared.key_names:
            self.fields["seen_by"] = seen_by(keys, [("", "Nobody: without row values")])

    def input_for(self, spec: ParameterSpec) -> forms.Field:
        """Take JSON where it is JSON, so that numbers are numbers, else text."""
        help_text = "Text, a number, true or false. Left empty: no value (NULL)."
        return Scalar(label=f":{spec.name}", required=False, help_text=help_text)


class RunWidget(DefinitionAdmin):
    """Adds the page that runs a widget."""

    @action(description="Run", url_path="run", permissions=["view"], icon="play_arrow")
    def run(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Ask for the widget's data as a client would, and show the answer."""
        row = self.row_or_404(request, object_id)
        if "_publish" in request.POST:
            return self._publish_and_return(request, row)
        context: dict[str, Any] = {"title": f"Run {row}", "back": change_url(row)}
        entry = self._entry(row)
        if entry is None or entry.path is None:
            may_publish = row.published is None and self.has_change_permission(request, row)
            return self._page(request, row, **context, problem=_problem(row, entry), publishable=may_publish)
        keys = _keys(request)
        form = RunWidgetForm(entry, _posted(request), keys)
        if form.is_valid() and request.POST.get("_download"):
            if response := _download(entry, form, request):
                return response
        elif form.is_valid():
            context |= _run(entry, form, request)
        context |= _formats(entry)
        stale = states.stage_of(row) == "changed"
        notes = ["This is what is published. The draft has changes that are not."] if stale else []
        notes += [UDF_NOTE] if _is_udf(entry) else []
        query = catalog.current().queries.get(entry.query or "")
        notes += _needs(query.prepared if query else None, keys)
        return self._page(request, row, **context, form=form, note=" ".join(notes))

    def _page(self, request: HttpRequest, row: Widget, **context: Any) -> HttpResponse:
        return self.page(request, "admin/widgets_app/run.html", row, **context)

    def _publish_and_return(self, request: HttpRequest, row: Widget) -> HttpResponse:
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        published = publish(request, row)
        return HttpResponseRedirect(request.path if published else change_url(row))

    def _entry(self, row: Widget) -> Entry | None:
        return catalog.current().entries.get(row.published.identifier) if row.published else None


def _needs(prepared: PreparedQuery | None, keys: Sequence[tuple[str, str]]) -> list[str]:
    """Say which row values a query asks for, and how to get them here."""
    if prepared is None or not prepared.key_names:
        return []
    names = ", ".join(name.removeprefix(KEY_PREFIX) for name in prepared.key_names)
    how = "Choose a key that has them under “As seen by”." if keys else "Only who may view keys can choose one here."
    return [f"The rows depend on row values of the caller's key: {names}. {how}"]


def _problem(row: Widget, entry: Entry | None) -> str:
    if row.published is None:
        return "This widget is a draft, and only what is published can be run."
    if entry is None:
        reason = states.left_out(row) or "It has not arrived in this process yet. Try again in a second."
        return f"This widget is published, but left out of what Workspace gets: {reason}"
    return "This widget names an address of another server, or none, so this backend has no data of it to show."


def _run(entry: Entry, form: RunWidgetForm, request: HttpRequest) -> dict[str, Any]:
    caller = caller_of(form.cleaned_data["seen_by"], request)
    asked = _asked(entry, form)
    outcome = measured(lambda: _answered(serving.serve(asked, caller)))
    rows = table_of(outcome.frame) if outcome.frame and entry.shape and entry.shape.passes_rows else {}
    return {"outcome": outcome, "curl": _curl(asked), "caller": caller, **rows}


def _download(entry: Entry, form: RunWidgetForm, request: HttpRequest) -> HttpResponseBase | None:
    """Return the rows as a file, as a client gets it; None, with a message, where there is none."""
    query = form.values()
    asked = Asked(
        f"{entry.id}.{request.POST['_download']}",
        query,
        query_string=urlencode(query),
        departure=request.META.get(DISCONNECTED),
    )
    try:
        return response_of(export(asked, caller_of(form.cleaned_data["seen_by"], request)))
    except RequestError as error:
        messages.error(request, str(error))
        return None


def _formats(entry: Entry) -> dict[str, Any]:
    """Return the formats to download, none for widgets without rows."""
    if not is_exportable(entry):
        return {}
    return {"formats": list(FORMATS), "export_url": f"{settings.PUBLIC_URL}/-/export/{entry.id}.csv"}


def _is_udf(entry: Entry) -> bool:
    return bool(entry.upstream) and effective_type(entry.definition) in UDF_TYPES


def _asked(entry: Entry, form: RunWidgetForm) -> Asked:
    path = f"{(entry.path or '').rstrip('/')}/config" if _is_udf(entry) else entry.path or ""
    fixed = dict(parse_qsl(str(entry.definition.get("endpoint")).partition("?")[2], keep_blank_values=True))
    query, body = fixed | form.query(), form.body()
    if body is None:
        return Asked(path, query, query_string=urlencode(query))
    return Asked(path, query, method="POST", content_type="application/json", body=[body], length=len(body))


def _answered(served: Served) -> Answered:
    content, whole = served.content, True
    if not isinstance(content, bytes):
        content, whole = _beginning(content)
    headers = dict(served.headers)
    limit = headers.get("X-Truncated", "")
    return Answered(content, headers.get("Content-Type", ""), served.frame, served.status, whole, limit)


def _beginning(pieces: Pieces) -> tuple[bytes, bool]:
    """Return the start of a body, and whether it is all of it."""
    content = b""
    with closing(pieces):
        for piece in pieces:
            content += piece
            if len(content) > BODY_READ:
                return content, False
    return content, True


def _curl(asked: Asked) -> str:
    url = f"{settings.PUBLIC_URL}/{asked.path}{'?' if asked.query_string else ''}{asked.query_string}"
    words = ["curl", "-H", f"{HEADER}: {KEY_PLACEHOLDER}"]
    if asked.body is not None:
        words += ["-H", f"Content-Type: {asked.content_type}", "-d", b"".join(asked.body).decode()]
    return shlex.join([*words, url])


def _keys(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the keys to choose from, by prefix, for those who may see keys."""
    if not may_view(request, "widgets_app.apikey"):
        return []
    return [(prefix, f"{key.caller.name} ({prefix}…)") for prefix, key in KEYS.current().items() if key.works]


def caller_of(prefix: str, request: HttpRequest) -> Caller:
    """Return the owner of a key, or, without a prefix, whoever is signed in, as a member of all groups."""
    if prefix:
        return KEYS.current()[prefix].caller
    name = request.user.get_username()
    return Caller(name, catalog.current().named_groups, user=name)


class RunQuery(DefinitionAdmin):
    """Adds the page that runs the draft of a query."""

    @action(description="Run", url_path="run", permissions=["view"], icon="play_arrow")
    def run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Run the saved draft within the limits of its source, and show the first rows."""
        row = self.row_or_404(request, object_id)
        context: dict[str, Any] = {"title": f"Run {row}", "back": change_url(row)}
        draft = draft_of(row)
        if draft.prepared is None:
            return self.page(request, "admin/widgets_app/run.html", row, **context, problem=draft.fault)
        keys = _keys(request)
        form = RunQueryForm(draft.prepared, _posted(request), keys)
        context["note"] = " ".join(_needs(draft.prepared, keys))
        if form.is_valid():
            context |= _run_query(draft, form.values(), caller_of(form.cleaned_data.get("seen_by", ""), request))
        return self.page(request, "admin/widgets_app/run.html", row, **context, form=form)


def draft_of(row: Query) -> PublishedQuery:
    """Compile a draft as if it were published; its number is its own, so that results never mix."""
    opened = open_source(row.source, catalog.current().sources.get(row.source.pk)) if row.source else None
    return query_of(-time.time_ns(), {**query_document(row), "cache_seconds": 0}, opened)


def _posted(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _run_query(draft: PublishedQuery, values: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    def answer() -> Answered:
        frame = serving.fetch(serving.reading(draft, values, caller, 0))
        limit = draft.told_limit(frame.row_count, frame.cut_by) if frame.truncated else ""
        return Answered(frame.json, "application/json", frame, limit=limit)

    outcome = measured(answer)
    return {"outcome": outcome, **(table_of(outcome.frame) if outcome.frame else {})}


def _cell(value: object, shown: int) -> str:
    text = as_text(value)
    return text if len(text) <= shown else f"{text[:shown]}…"


def table_of(frame: Frame, *, cell: int = CELL_SHOWN) -> dict[str, Any]:
    """Return the first rows of a result for a template, values cut after so many characters."""
    names = [column.name for column in frame.columns]
    rows = [[_cell(row.get(name), cell) for name in names] for row in frame.rows()[:ROWS_SHOWN]]
    types = [f"{column.name} ({column.type})" for column in frame.columns]
    note = f"The first {ROWS_SHOWN} of {frame.row_count:,} rows." if frame.row_count > ROWS_SHOWN else ""
    return {"headers": types, "rows": rows, "table_note": note}
