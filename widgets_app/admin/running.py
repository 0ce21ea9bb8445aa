"""Pages that run a widget as its clients do, or the draft of a query, and show what comes out."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import urlencode

from widgets_app import catalog, exceptions, serving
from widgets_app.admin.base import change_url
from widgets_app.admin.fields import Scalar
from widgets_app.admin.navigation import may_view
from widgets_app.admin.publishing import DefinitionAdmin, publish
from widgets_app.admin.theme import SelectInput, SwitchInput, TextInput, action
from widgets_app.authentication import HEADER, KEYS, Caller
from widgets_app.compiled import Entry, PublishedQuery, open_source, query_of
from widgets_app.manifest.widgets import query_document
from widgets_app.models import Query, Widget
from widgets_app.parameters.types import ParameterSpec, as_text
from widgets_app.services import states
from widgets_app.sources.frame import Frame

BODY_SHOWN = 20_000  # characters of a body
BODY_PRETTY = 1_000_000  # bytes of a body that is still laid out anew
ROWS_SHOWN = 50  # rows of a query's result
KEY_PLACEHOLDER = "your key"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client would have got, and how long it took."""

    status: int
    milliseconds: int
    content_type: str
    content: bytes
    frame: Frame | None = None

    @property
    def body(self) -> str:
        """The body to read, cut at the limit."""
        text = self.content[: BODY_SHOWN * 4].decode("utf-8", "replace")
        if "json" in self.content_type and len(self.content) <= BODY_PRETTY:
            text = json.dumps(json.loads(self.content), ensure_ascii=False, indent=2)
        return text[:BODY_SHOWN].encode("utf-8", "replace").decode()

    @property
    def cut(self) -> str:
        """What to say about the rest of a long body."""
        size = len(self.content)
        return f"The first {BODY_SHOWN:,} characters of {size:,} bytes." if size > BODY_SHOWN else ""


def measured(answer: Callable[[], tuple[bytes, str, Frame | None]]) -> Outcome:
    """Run something that answers with content, content type and data; errors come out as clients see them."""
    started = time.perf_counter()
    try:
        content, content_type, frame = answer()
        status = 200
    except Exception as error:
        refused = exceptions.handle(error, {"view": "the admin's run page"})
        content, content_type, frame, status = _rendered(refused), "application/json", None, refused.status_code
    return Outcome(status, round((time.perf_counter() - started) * 1000), content_type, content, frame)


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

    def __init__(self, specs: Sequence[ParameterSpec], data: Any, keys: Iterable[tuple[str, str]]) -> None:
        super().__init__(specs, data)
        choices = [("", "Somebody in all groups"), *keys]
        self.fields["seen_by"] = forms.ChoiceField(
            label="As seen by", choices=choices, widget=SelectInput(), required=False
        )

    def input_for(self, spec: ParameterSpec) -> forms.Field:
        """Offer the choices of a parameter, or take its text as clients send it."""
        common: dict[str, Any] = {
            "label": spec.label or spec.name,
            "required": False,
            "initial": as_text(spec.default),
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


class RunQueryForm(RunForm):
    """A value for each placeholder of a query."""

    def input_for(self, spec: ParameterSpec) -> forms.Field:
        """Take JSON where it is JSON, so that numbers are numbers, else text."""
        help_text = "Text, a number, true or false. Left empty: no value (NULL)."
        return Scalar(label=f":{spec.name}", required=False, help_text=help_text)


class RunWidget(DefinitionAdmin):
    """Adds the page that runs a widget."""

    @action(description="Run", url_path="run", permissions=["view"], icon="play_arrow")
    def run(self, request: HttpRequest, object_id: str) -> HttpResponse:
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
        form = RunWidgetForm(entry.specs, _posted(request), keys)
        if form.is_valid():
            context |= _run(entry, form, request)
        stale = states.stage_of(row) == "changed"
        note = "This is what is published. The draft has changes that are not." if stale else ""
        return self._page(request, row, **context, form=form, note=note)

    def _page(self, request: HttpRequest, row: Widget, **context: Any) -> HttpResponse:
        return self.page(request, "admin/widgets_app/run.html", row, **context)

    def _publish_and_return(self, request: HttpRequest, row: Widget) -> HttpResponse:
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        published = publish(request, row)
        return HttpResponseRedirect(request.path if published else change_url(row))

    def _entry(self, row: Widget) -> Entry | None:
        return catalog.current().entries.get(row.published.identifier) if row.published else None


def _problem(row: Widget, entry: Entry | None) -> str:
    if row.published is None:
        return "This widget is a draft, and only what is published can be run."
    if entry is None:
        reason = states.left_out(row) or "It has not arrived in this process yet. Try again in a second."
        return f"This widget is published, but left out of what Workspace gets: {reason}"
    return "This widget names an address of another server, or none, so this backend has no data of it to show."


def _run(entry: Entry, form: RunWidgetForm, request: HttpRequest) -> dict[str, Any]:
    caller = _caller(form.cleaned_data["seen_by"], request)
    query = form.query()
    path = entry.path or ""

    def answer() -> tuple[bytes, str, Frame | None]:
        served = serving.serve_route(catalog.current().find(path, caller.groups), query, caller)
        return served.body.content, served.body.content_type, served.frame

    url = f"{settings.PUBLIC_URL}/{path}?{urlencode(query)}"
    curl = f"curl -H {shlex.quote(f'{HEADER}: {KEY_PLACEHOLDER}')} {shlex.quote(url)}"
    return {"outcome": measured(answer), "curl": curl, "caller": caller}


def _keys(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the keys to choose from, by prefix, for those who may see keys."""
    if not may_view(request, "widgets_app.apikey"):
        return []
    return [(prefix, f"{key.caller.name} ({prefix}…)") for prefix, key in KEYS.current().items() if key.active]


def _caller(prefix: str, request: HttpRequest) -> Caller:
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
        draft = _draft(row)
        if draft.prepared is None:
            return self.page(request, "admin/widgets_app/run.html", row, **context, problem=draft.fault)
        specs = [ParameterSpec(name) for name in draft.prepared.placeholders]
        form = RunQueryForm(specs, _posted(request))
        if form.is_valid():
            context |= _run_query(draft, form.values(), request)
        return self.page(request, "admin/widgets_app/run.html", row, **context, form=form)


def _draft(row: Query) -> PublishedQuery:
    """Compile a draft as if it were published; its number is its own, so that results never mix."""
    opened = open_source(row.source, catalog.current().sources.get(row.source.pk)) if row.source else None
    return query_of(-time.time_ns(), {**query_document(row), "cache_seconds": 0}, opened)


def _posted(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _run_query(draft: PublishedQuery, values: Mapping[str, Any], request: HttpRequest) -> dict[str, Any]:
    caller = _caller("", request)

    def answer() -> tuple[bytes, str, Frame | None]:
        frame = serving.fetch(draft, values, caller, 0)
        return frame.json, "application/json", frame

    outcome = measured(answer)
    return {"outcome": outcome, **(_table(outcome.frame) if outcome.frame else {})}


def _table(frame: Frame) -> dict[str, Any]:
    names = [column.name for column in frame.columns]
    rows = [[as_text(row.get(name)) for name in names] for row in frame.rows()[:ROWS_SHOWN]]
    types = [f"{column.name} ({column.type})" for column in frame.columns]
    note = f"The first {ROWS_SHOWN} of {frame.row_count:,} rows." if frame.row_count > ROWS_SHOWN else ""
    return {"headers": types, "rows": rows, "table_note": note}
