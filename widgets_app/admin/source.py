"""Sources: the options of their kind, the files of a folder, the functions there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join

from widgets_app import catalog, functions
from widgets_app.admin.base import change_url
from widgets_app.admin.collection_row import add_url, rows_url
from widgets_app.admin.exploring import ExploreSource
from widgets_app.admin.fields import HIDDEN
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.lineage import shown
from widgets_app.admin.navigation import may_view
from widgets_app.admin.options import Options, plain, secrets, with_options
from widgets_app.admin.site import site
from widgets_app.admin.theme import FileInput, SelectInput, display
from widgets_app.compiled import open_backend
from widgets_app.errors import DefinitionError, RequestError
from widgets_app.models import Agent, Query, Source, Widget
from widgets_app.services import findings, lineage, sources, states
from widgets_app.services.publishing import identifier_of
from widgets_app.sources import formats, putting
from widgets_app.sources.collection import CollectionBackend, CollectionOptions
from widgets_app.sources.database import DatabaseBackend
from widgets_app.sources.descriptions import describe
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.http import HttpBackend
from widgets_app.sources.limits import Slots
from widgets_app.sources.putting import MAX_FILE_BYTES, Table, store_file
from widgets_app.sources.python import PythonBackend
from widgets_app.sources.registry import kinds

KINDS = [Options("options", (kind,), backend.Options) for kind, backend in kinds().items()]
OPTION_FIELDS = [name for group in KINDS for name in group.names.values()]
FILES = FilesBackend.kind
FOLDER_FIELD = f"options__{FILES}__folder"
HTTP = HttpBackend.kind
COLLECTION = CollectionBackend.kind
COLUMNS_FIELD = f"options__{COLLECTION}__columns"
# What gets its data from sources, many and one.
USERS = {"queries": "query", "widgets": "widget", "agents": "agent"}
# For each kind that keeps secrets for one address: the address, and the secrets.
KEPT_FOR = {
    backend.kind: (f"options__{backend.kind}__url", [f"options__{backend.kind}__{n}" for n in backend.Options.secret])
    for backend in (HttpBackend, DatabaseBackend)
}


class BaseSourceForm(KeepingForm):
    """The form of a source, but for the options of its kind."""

    kind = forms.ChoiceField(widget=SelectInput())
    upload = forms.FileField(
        required=False,
        widget=FileInput(),
        label="Add a file",
        help_text=f"{formats.NAMED}; text also compressed, as sales.csv.gz. At most {MAX_FILE_BYTES // 1024**2} MB. "
        "A file of the same name is replaced, at once and for everybody.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {kind: backend.label for kind, backend in kinds().items()}
        if self.instance.kind:
            known.setdefault(self.instance.kind, self.instance.kind)
        if isinstance(kind := self.fields.get("kind"), forms.ChoiceField):
            kind.choices = list(known.items())
            about = ((backend.label, backend.help) for backend in kinds().values())
            kind.help_text = format_html_join("", "<div><strong>{}</strong>: {}</div>", about)
        for group in KINDS:
            self.initial.update(group.initial(self.instance.options, _readable_secrets(self.instance)))

    def clean(self) -> dict[str, Any]:
        """Keep the options of the chosen kind only."""
        super().clean()
        data = self.cleaned_data
        if self.instance.pk and self.touched("name") and (users := states.served_from(self.instance)):
            self.add_error("name", f"What is served names it so: {', '.join(users)}. Unpublish that first.")
        self._keep_folder()
        if self.touched("name", "kind", *OPTION_FIELDS):
            self._read_options()
        return data

    def _read_options(self) -> None:
        group = next((group for group in KINDS if self.cleaned_data.get("kind") in group.kinds), None)
        self._refuse_moved_secrets()
        options = group.validated(self) if group else None
        self.instance.options = plain(options)
        sources.secrets_set(self.instance, secrets(options))

    def _refuse_moved_secrets(self) -> None:
        """Have secrets entered again for another server: who may change the address need not know them."""
        if (fields := KEPT_FOR.get(self.cleaned_data.get("kind", ""))) is None:
            return
        url, names = fields
        before, now = (sources.origin_of(data.get(url)) for data in (self.initial, self.cleaned_data))
        for name in names:
            given = self.cleaned_data.get(name) or {}
            values = given.values() if isinstance(given, dict) else [given]
            if before != now and any(value == HIDDEN or not isinstance(value, str) for value in values):
                self.add_error(name, "The address leads to another server now. Enter the values again for it.")

    def _keep_folder(self) -> None:
        """Have a source that is renamed go on reading its folder, which had its name."""
        data = self.cleaned_data
        if self.instance.pk and self.touched("name") and data.get("kind") == FILES and not data.get(FOLDER_FIELD):
            before = Source(name=self.initial["name"], kind=FILES)
            data[FOLDER_FIELD] = open_backend(before).path.name  # type: ignore[attr-defined]  # a source of files

    def _post_clean(self) -> None:
        """Open the source, and take a file in, once nothing else stands against it."""
        super()._post_clean()  # type: ignore[misc]  # unknown to the stubs
        if not self.errors:
            self._open(self.cleaned_data.get("upload"))

    def _open(self, upload: Any) -> None:
        source = Source(
            pk=self.instance.pk,
            name=self.cleaned_data["name"],
            kind=self.cleaned_data["kind"],
            options=self.instance.options,
            secrets=self.instance.secrets,
        )
        try:
            backend = open_backend(source)
        except DefinitionError as error:
            self.add_error("kind", ValidationError(str(error)))
            return
        if upload is None:
            return
        if not isinstance(backend, FilesBackend):
            self.add_error("upload", "Only a source of files takes files.")
            return
        try:
            self.cleaned_data["stored"] = store_file(backend, upload.name, upload.chunks())
        except (DefinitionError, RequestError) as error:
            self.add_error("upload", ValidationError(str(error)))


SourceForm = with_options(BaseSourceForm, KINDS)


@admin.register(Source, site=site)
class SourceAdmin(ExploreSource):
    """The pages of sources."""

    form = SourceForm
    list_display = ("name", "kind_label", "description", "use_count")
    # Counting drops the order of the model.
    ordering = ("name",)
    search_fields = ("name", "description")
    actions_detail = ("explore",)
    conditional_fields: ClassVar[Mapping[str, str]] = {
        **{name: shown for group in KINDS for name, shown in group.conditions("kind", FILES).items()},
        "upload": f"(kind || '{FILES}') == '{FILES}'",
    }
    fieldsets = (
        (None, {"fields": ["name", "kind", *OPTION_FIELDS, "upload", "description"]}),
        ("Limits", {"fields": ["seconds", "rows", "megabytes", "slots"]}),
    )

    @display(description="kind", ordering="kind")
    def kind_label(self, obj: Source) -> str:
        """Return the kind in words."""
        backend = kinds().get(obj.kind)
        return backend.label if backend else obj.kind

    @display(description="used by")
    def use_count(self, obj: Any) -> str:
        """Count what gets its data from it."""
        counts = {name: getattr(obj, f"{name}_count") for name in USERS}
        return ", ".join(f"{count} {name if count > 1 else USERS[name]}" for name, count in counts.items() if count)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Count what uses each source."""
        counts = {f"{name}_count": Count(name, distinct=True) for name in USERS}
        return super().get_queryset(request).annotate(**counts)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Offer each field the sources that suit it."""
        found, has_twins = super().get_search_results(request, queryset, search_term)
        if request.GET.get("field_name") == "upstream":
            found = found.filter(kind=HTTP)
        return found, has_twins

    def get_urls(self) -> Any:
        """Add the address that puts a version back."""
        page = self.admin_site.admin_view(self.put_back)
        return [path("<path:object_id>/put-back/", page, name="widgets_app_source_put_back"), *super().get_urls()]

    def put_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then put an earlier version of a file back."""
        source = self.row_or_404(request, object_id)
        if not self.has_change_permission(request, source):
            raise PermissionDenied
        backend = findings.backend_of(source)
        file, number = request.GET.get("file", ""), request.GET.get("version", "")
        if not isinstance(backend, FilesBackend) or not number.isdecimal():
            raise Http404("There is nothing here.")
        if request.method != "POST":
            text = "It is served at once, for everybody. The file that is served now is kept as a version."
            return self.ask(
                request, source, title=f"Put version {number} of {file} back?", text=text, button="Put back"
            )
        try:
            stored = putting.restore_file(backend, file, int(number))
            messages.success(request, f"Version {number} of {file} is served again, as version {stored.version}.")
        except (DefinitionError, RequestError) as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(change_url(source))

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        """Say which table an uploaded file has become, and what becomes of the values of columns that are gone."""
        super().save_model(request, obj, form, change)
        if obj.kind == COLLECTION and (text := columns_left(obj, form.initial.get(COLUMNS_FIELD) or [])):
            messages.warning(request, text)
        if stored := form.cleaned_data.get("stored"):
            messages.success(request, told_of(stored.tables))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Offer a test, and show what can be queried."""
        obj = kwargs.get("obj")
        context["panel"] = "admin/widgets_app/source_panel.html"
        if self.has_change_permission(request, obj) if obj else self.has_add_permission(request):
            url = reverse(f"admin:widgets_app_source_test{'' if obj else '_new'}", args=[obj.pk] if obj else [])
            context["test_attrs"] = format_html('formaction="{}" formnovalidate data-test', url)
        if obj is not None:
            context["contents"] = contents_of(obj)
            context["running"] = running_on(obj)
            context["links"] = links_of(obj, request)
            context["users"] = shown(request, lineage.made_of(obj))
            context["may_put_back"] = self.has_change_permission(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say in words what still needs a source; what is served needs it even when the draft does not."""
        to_delete, counts, missing, protected = super().get_deleted_objects(objs, request)
        needed = {source: needed_by(source) for source in objs}
        if any(needed.values()):
            protected = lineage.first(sorted({name for names in needed.values() for name in names}))
        for source, names in needed.items():
            if names and "post" not in request.POST:
                broken = lineage.in_words(lineage.made_of(source))
                text = (
                    f"“{source}” is used by {lineage.listed(names)}. Without it, {broken} would break. Choose another "
                    "source there, publish, then delete it."
                )
                messages.warning(request, text)
        return to_delete, counts, missing, protected


def running_on(source: Source) -> Slots | None:
    """Return the slots of a source in this process while queries run on it."""
    opened = catalog.current().sources.get(source.pk)
    return opened.slots if opened and opened.slots.taken else None


def needed_by(source: Source) -> list[str]:
    """Return what needs a source, as a draft or as it is served, each with its kind."""
    drafts = {f"{user._meta.verbose_name} {identifier_of(user)}" for user in users_of(source)}
    return sorted(drafts | set(states.served_from(source)))


def users_of(source: Source) -> list[Query | Widget | Agent]:
    """Return the drafts that get their data from a source, or have forms that write to it."""
    forms = Widget.objects.filter(parameters__actions__source=source).distinct()
    return [*source.queries.all(), *source.widgets.all(), *source.agents.all(), *forms]


def _readable_secrets(source: Source) -> dict[str, Any]:
    """Return the secret options; none where they can't be read any more, which the page says."""
    try:
        return sources.secrets_of(source)
    except DefinitionError:
        return {}


def contents_of(source: Source) -> dict[str, Any]:
    """Return what can be queried: tables with their columns and files that are no table, or functions."""
    try:
        backend = findings.backend_of(source)
    except DefinitionError as error:
        return {"problem": str(error)}
    if isinstance(backend, FilesBackend):
        return _files(backend)
    if isinstance(backend, HttpBackend):
        return {"address": (source.options or {}).get("url")}
    if isinstance(backend, CollectionBackend):
        return {"is_collection": True, "count": source.collection_rows.count(), "most": backend.columns.max_rows}
    return {"functions": _functions()} if isinstance(backend, PythonBackend) else {"is_database": True}


def links_of(source: Source, request: HttpRequest) -> dict[str, str]:
    """Return where the user may go from the page of a collection."""
    may_add = request.user.has_perm("widgets_app.add_collectionrow")
    links = {"list": rows_url(source) if may_view(request, "widgets_app.collectionrow") else ""}
    return {**links, "add": add_url(source) if may_add else ""}


def columns_left(source: Source, before: list[str]) -> str:
    """Say what becomes of the values of columns that are gone, or have another type; nothing where there are none."""
    was, now = (CollectionOptions.model_construct(columns=c).types for c in (before, (source.options or {})["columns"]))
    gone = [name for name in was if name not in now]
    changed = [name for name in was if name in now and was[name] != now[name]]
    if not (gone or changed) or not (count := source.collection_rows.count()):
        return ""
    texts = {
        "Their values of {} stay stored, but are seen no more. Name such a column again to have them back.": gone,
        "Their values of {} stay as they are. Those that don't suit the new type are empty in queries.": changed,
    }
    told = " ".join(text.format(", ".join(names)) for text, names in texts.items() if names)
    return f"Rows stored: {count:,}. {told}"


def _files(backend: FilesBackend) -> dict[str, Any]:
    try:
        opened = backend.opened()
        earlier = [file for file in putting.stored_files(backend) if file.kept]
    except (OSError, RequestError) as error:
        return {"problem": str(error)}
    tables = describe(opened)
    return {"tables": tables, "faults": sorted(opened.faults.items()), "earlier": earlier, "is_files": True}


def told_of(tables: Sequence[Table]) -> str:
    """Say what a file has become."""
    if len(tables) == 1:
        return f"The file is the table “{tables[0].name}” now."
    return f"The sheets are the tables {', '.join(f'“{table.name}”' for table in tables)} now."


def _functions() -> list[dict[str, Any]]:
    return [
        {"name": name, "arguments": ", ".join(found.defaults), "about": _about(found.function)}
        for name, found in sorted(functions.functions().items())
    ]


def _about(function: Any) -> str:
    return re.split(r"\n\s*\n", (function.__doc__ or "").strip(), maxsplit=1)[0]
