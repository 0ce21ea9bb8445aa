"""Sources: the options of their kind, the files of a folder, the functions there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse

from widgets_app import functions
from widgets_app.admin.base import BackendAdmin
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.options import Options, with_options
from widgets_app.admin.site import site
from widgets_app.admin.theme import FileInput, SelectInput, display
from widgets_app.compiled import open_backend
from widgets_app.errors import DefinitionError
from widgets_app.models import Source
from widgets_app.services import findings
from widgets_app.sources import folder
from widgets_app.sources.files import MAX_FILE_BYTES, FilesBackend, store_file
from widgets_app.sources.python import PythonBackend
from widgets_app.sources.registry import kinds

KINDS = [Options("options", (kind,), backend.Options) for kind, backend in kinds().items()]
OPTION_FIELDS = [name for group in KINDS for name in group.names.values()]
FILES = FilesBackend.kind
FOLDER_FIELD = f"options__{FILES}__folder"


class BaseSourceForm(KeepingForm):
    """The form of a source, but for the options of its kind."""

    kind = forms.ChoiceField(widget=SelectInput())
    upload = forms.FileField(
        required=False,
        widget=FileInput(),
        label="Add a file",
        help_text=f"{', '.join(folder.SUFFIXES)}; at most {MAX_FILE_BYTES // 1024**2} MB. A file of the same name is "
        "replaced, at once and for everybody.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {kind: backend.label for kind, backend in kinds().items()}
        if self.instance.kind:
            known.setdefault(self.instance.kind, self.instance.kind)
        if isinstance(kind := self.fields.get("kind"), forms.ChoiceField):
            kind.choices = list(known.items())
            kind.help_text = " ".join(f"{backend.label}: {backend.help}" for backend in kinds().values())
        for group in KINDS:
            self.initial.update(group.initial(self.instance.options))

    def clean(self) -> dict[str, Any]:
        """Keep the options of the chosen kind only."""
        super().clean()
        data = self.cleaned_data
        if self.instance.pk and self.touched("name") and (users := served_queries(self.instance)):
            self.add_error("name", f"Published queries name it so: {', '.join(users)}. Unpublish them first.")
        self._keep_folder()
        if self.touched("name", "kind", *OPTION_FIELDS):
            group = next((group for group in KINDS if data.get("kind") in group.kinds), None)
            self.instance.options = group.read(self) if group else None
        return data

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
        except DefinitionError as error:
            self.add_error("upload", ValidationError(str(error)))


SourceForm = with_options(BaseSourceForm, KINDS)


@admin.register(Source, site=site)
class SourceAdmin(BackendAdmin):
    """The pages of sources."""

    form = SourceForm
    list_display = ("name", "kind_label", "description", "query_count")
    search_fields = ("name", "description")
    conditional_fields: ClassVar[Mapping[str, str]] = {
        **{name: shown for group in KINDS for name, shown in group.conditions("kind", FILES).items()},
        "upload": f"(kind || '{FILES}') == '{FILES}'",
    }
    fieldsets = (
        (None, {"fields": ["name", "kind", *OPTION_FIELDS, "upload", "description"]}),
        ("Limits", {"fields": ["seconds", "rows", "slots"]}),
    )

    @display(description="kind", ordering="kind")
    def kind_label(self, obj: Source) -> str:
        """Return the kind in words."""
        backend = kinds().get(obj.kind)
        return backend.label if backend else obj.kind

    @display(description="queries", ordering="uses")
    def query_count(self, obj: Any) -> int:
        """Return how many queries read from it."""
        count: int = obj.uses
        return count

    def get_queryset(self, request: HttpRequest) -> Any:
        """Count the queries."""
        return super().get_queryset(request).annotate(uses=Count("queries"))

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        """Say which table an uploaded file has become."""
        super().save_model(request, obj, form, change)
        if table := form.cleaned_data.get("stored"):
            messages.success(request, f"The file is the table “{table}” now.")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show what can be queried."""
        if (obj := kwargs.get("obj")) is not None:
            context["panel"] = "admin/widgets_app/source_panel.html"
            context["contents"] = contents_of(obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say in words which queries still need a source."""
        for source in objs:
            names = ", ".join(f"“{query}”" for query in source.queries.all())
            if names and "post" not in request.POST:
                messages.warning(request, f"These queries read from “{source}”: {names}. Delete or move them first.")
        return super().get_deleted_objects(objs, request)


def served_queries(source: Source) -> list[str]:
    """Return the published queries that name a source."""
    return sorted(query.name for query in source.queries.filter(published__isnull=False))


def contents_of(source: Source) -> dict[str, Any]:
    """Return what can be queried: tables with their columns and files that are no table, or functions."""
    try:
        backend = findings.backend_of(source)
    except DefinitionError as error:
        return {"problem": str(error)}
    if isinstance(backend, FilesBackend):
        return _files(backend)
    return {"functions": _functions()} if isinstance(backend, PythonBackend) else {}


def _files(backend: FilesBackend) -> dict[str, Any]:
    try:
        opened = folder.watched(backend.path).opened()
    except OSError as error:
        return {"problem": f"The folder can't be read: {error.strerror}."}
    files = {folder.table_name(name): (name, size) for name, _, size in opened.listing.files}
    tables = [{"table": table, "file": files[table][0], "size": files[table][1]} for table in sorted(opened.tables)]
    return {"tables": tables, "faults": sorted(opened.faults.items()), "is_files": True}


def _functions() -> list[dict[str, Any]]:
    return [
        {"name": name, "arguments": ", ".join(found.defaults), "about": _about(found.function)}
        for name, found in sorted(functions.functions().items())
    ]


def _about(function: Any) -> str:
    return re.split(r"\n\s*\n", (function.__doc__ or "").strip(), maxsplit=1)[0]
