"""Importing: files or an address, then a look at what would be done, then the import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from widgets_app.admin.differences import DEFINITIONS_SHOWN, Difference, difference, finding_groups, listed, tallied
from widgets_app.admin.fields import SecretLines
from widgets_app.admin.inputs import FilesInput
from widgets_app.admin.navigation import ENTRIES, may_export, may_import, may_view
from widgets_app.admin.site import site
from widgets_app.admin.theme import RadioInput, SwitchInput, TextInput
from widgets_app.errors import DefinitionError, RequestError
from widgets_app.manifest import parsing
from widgets_app.services.bundles import (
    KINDS,
    ImportRefused,
    Named,
    Options,
    Plan,
    Step,
    Waiting,
    bundle_import,
    bundle_plan,
    fetched,
    from_files,
    grouped,
    host_of,
    waiting_forget,
    waiting_keep,
    waiting_open,
    waiting_tidy,
)
from widgets_app.sources import address as addresses
from widgets_app.sources.outbound import PrivateHost, check_headers

IMPORT, CANCEL = "_import", "_cancel"
NAMES_SHOWN = 100  # of definitions that are added or removed
FINDINGS_SHOWN, FINDINGS_FOLDED = 5, 50  # definitions of one kind of finding
LIMIT = f"{parsing.MAX_BYTES // (1024 * 1024)} MB"
CHANGED = "This is not what was shown before: definitions or choices have changed since. Look again, then import."
# What each action takes a permission for.
VERBS = {"add": "add", "change": "change", "publish": "change", "remove": "delete"}
WORDS = {
    "add": "added",
    "change": "changed",
    "publish": "published as it is",
    "remove": "removed",
    "conflict": "in conflict",
    "skip": "left as it is",
    "same": "unchanged",
}


class Uploads(forms.FileField):
    """Several files, none of them too large to be read."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """Return the files."""
        files = [super(Uploads, self).clean(file, initial) for file in data or ()]
        try:
            for file in files:
                parsing.check_size(file.size, name=file.name)
        except DefinitionError as error:
            raise ValidationError(str(error)) from None
        if sum(file.size for file in files) > parsing.MAX_BYTES:
            raise ValidationError(f"These files have more than {LIMIT} together. Import them one after another.")
        return files


class ChoicesForm(forms.Form):
    """What an import is to do."""

    on_conflict = forms.ChoiceField(
        label="What is here already, and differs",
        choices=[
            ("fail", "Stop: nothing is imported if something here would be changed"),
            ("skip", "Leave it as it is, and import the rest"),
            ("replace", "Replace it; its versions stay, so that it can be restored"),
        ],
        initial="fail",
        widget=RadioInput(),
    )
    modernise = forms.BooleanField(
        label="Modernise",
        required=False,
        widget=SwitchInput(),
        help_text="Rewrites old spellings to today's. Each rewrite is shown before anything is done.",
    )
    prune = forms.BooleanField(
        label="Remove what the files lack",
        required=False,
        widget=SwitchInput(),
        help_text="Of each kind that they have: with a widgets.json, every widget here that is not in it.",
    )


class ImportForm(ChoicesForm):
    """Where definitions come from."""

    uploads = Uploads(
        label="Files",
        required=False,
        help_text=f"widgets.json, apps.json, agents.json, or what an export made, zipped or not. At most {LIMIT}.",
    )
    address = forms.CharField(
        label="Or the address of a running backend",
        required=False,
        widget=TextInput({"placeholder": "https://widgets.example.com"}),
        help_text="As Workspace has it. Its widgets.json is read, and its apps.json and agents.json if it has them.",
    )
    headers = SecretLines(
        label="Headers for it",
        required=False,
        help_text="If it wants a key: one “Name: value” per line. Kept encrypted if data is fetched from there.",
    )
    private = forms.BooleanField(
        label="This backend is in our own network",
        required=False,
        widget=SwitchInput(),
        help_text="Addresses such as localhost or 10.0.0.5 are only asked if you say so.",
    )
    serve = forms.BooleanField(
        label="Serve its data through this backend",
        required=False,
        initial=True,
        widget=SwitchInput(),
        help_text="The imported widgets ask this backend, which asks that one. Off: they come without data.",
    )
    upstream = forms.CharField(
        label="Data is fetched from",
        required=False,
        widget=TextInput(),
        help_text="Only if that is another address than the one above, or if you upload files.",
    )

    def clean_address(self) -> str:
        """Take an address only: a path on this machine is nobody's business."""
        return _checked(self.cleaned_data["address"])

    def clean_upstream(self) -> str:
        """Take an address only."""
        return _checked(self.cleaned_data["upstream"])

    def clean_headers(self) -> Any:
        """Take what can be sent."""
        headers = self.cleaned_data["headers"]
        try:
            check_headers(headers)
        except DefinitionError as error:
            raise ValidationError(str(error)) from None
        return headers

    def clean(self) -> dict[str, Any]:
        """Ask for one place that definitions come from."""
        super().clean()
        given = [name for name in ("uploads", "address") if self.cleaned_data.get(name)]
        if not self.errors and len(given) != 1:
            raise ValidationError(f"Choose files or give an address{', not both' if given else ''}.")
        return self.cleaned_data

    def options(self) -> Options:
        """Return how the data is fetched."""
        data = self.cleaned_data
        upstream = data["upstream"] or (_base(data["address"]) if data["serve"] else "")
        hosts = {host_of(address): None for address in (data["address"], upstream) if address}
        private_hosts = tuple(hosts) if data["private"] else ()
        return Options(upstream=upstream, headers=data["headers"], private_hosts=private_hosts)

    def contents(self, options: Options) -> Iterator[Named]:
        """Read the files, or the backend at the address. Raises DefinitionError and RequestError."""
        if address := self.cleaned_data["address"]:
            return fetched(address, options.headers, frozenset(options.private_hosts))
        return ((file.name, file.read()) for file in self.cleaned_data["uploads"])


def _checked(address: str) -> str:
    try:
        return address and addresses.parse(address).url.rstrip("/")
    except DefinitionError as error:
        raise ValidationError(str(error)) from None


def _base(address: str) -> str:
    """Return the address of a backend, of which its widgets.json may have been given."""
    return address.rpartition("/")[0] if address.endswith(".json") else address


@dataclass(frozen=True)
class Brought:
    """What somebody wants to import: the token under which it waits, and how it is to be done."""

    token: str
    waiting: Waiting
    options: Options

    def plan(self) -> Plan:
        """Return what would be done."""
        return bundle_plan(from_files(self.waiting.files), self.options)


def page(request: HttpRequest) -> HttpResponse:
    """Take what is to be imported, show what would be done, or do it."""
    if not may_import(request) and not (may_export(request) and request.method == "GET"):
        raise PermissionDenied
    waiting_tidy()
    if request.method != "POST":
        return _ask(request, ImportForm(label_suffix=""))
    try:
        return _decide(request) if "token" in request.POST else _bring(request)
    except (DefinitionError, RequestError) as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(request.path)


def _ask(request: HttpRequest, form: ImportForm) -> HttpResponse:
    return site.page(
        request,
        "admin/widgets_app/import.html",
        title="Import and export",
        form=form,
        may_import=may_import(request),
        may_export=may_export(request),
    )


def _bring(request: HttpRequest) -> HttpResponse:
    """Read what was given, and show what importing it would do."""
    form = ImportForm(request.POST, request.FILES, label_suffix="")
    if not form.is_valid():
        return _ask(request, form)
    try:
        options = form.options()
        waiting = Waiting(list(form.contents(options)), options)
        brought = Brought("", waiting, _chosen(form, waiting, request))
        plan = brought.plan()
        return _preview(request, replace(brought, token=waiting_keep(waiting, owner=_owner(request))), plan)
    except PrivateHost as error:
        form.add_error("private", f"{str(error).partition('. ')[0]}. Turn this on if that is right.")
    except (DefinitionError, RequestError) as error:
        form.add_error(None, str(error))
    return _ask(request, form)


def _decide(request: HttpRequest) -> HttpResponse:
    """Import what was shown, show it with other choices, or forget about it."""
    token = request.POST["token"]
    waiting = waiting_open(token, owner=_owner(request))
    if CANCEL in request.POST:
        waiting_forget(token)
        return HttpResponseRedirect(request.path)
    form = ChoicesForm(request.POST)
    if not form.is_valid():
        raise SuspiciousOperation("These are not the choices of the page.")
    brought = Brought(token, waiting, _chosen(form, waiting, request))
    return _import(request, brought) if IMPORT in request.POST else _preview(request, brought, brought.plan())


def _import(request: HttpRequest, brought: Brought) -> HttpResponse:
    try:
        plan = bundle_import(
            from_files(brought.waiting.files), brought.options, check=lambda plan: _check(request, plan)
        )
    except ImportRefused as refused:
        return _preview(request, brought, refused.plan, problem=str(refused))
    except (DefinitionError, RequestError) as error:
        return _preview(request, brought, brought.plan(), problem=str(error))
    waiting_forget(brought.token)
    messages.success(request, _done(plan))
    kind = next((kind for kind in ENTRIES if any(step.acts and step.kind == kind for step in plan.steps)), "widget")
    return HttpResponseRedirect(reverse(f"admin:widgets_app_{kind}_changelist"))


def _chosen(form: ChoicesForm, waiting: Waiting, request: HttpRequest) -> Options:
    choices = {name: form.cleaned_data[name] for name in ChoicesForm.base_fields}
    return replace(waiting.options, author=request.user, **choices)  # type: ignore[arg-type]  # signed in


def _owner(request: HttpRequest) -> int:
    return int(request.user.pk)  # type: ignore[arg-type]  # signed in


def _check(request: HttpRequest, plan: Plan) -> None:
    """Refuse to do what was not shown, or what the user may not do."""
    if plan.digest != request.POST.get("digest"):
        raise DefinitionError(CHANGED)
    if forbidden := _forbidden(request, plan):
        raise DefinitionError(forbidden)


def _forbidden(request: HttpRequest, plan: Plan) -> str:
    """Return what of a plan the user may not do, in words."""
    wanted = [(VERBS[step.action], step.kind) for step in plan.steps if step.acts]
    wanted += [("change", kind) for kind in plan.moved]
    lacking = [f"{verb} {_plural(kind)}" for verb, kind in dict.fromkeys(wanted) if not _may(request, verb, kind)]
    return f"You may not {', '.join(lacking)}. Ask somebody who may to do this import." if lacking else ""


def _may(request: HttpRequest, verb: str, kind: str) -> bool:
    opts = KINDS[kind]._meta
    return request.user.has_perm(f"{opts.app_label}.{verb}_{opts.model_name}")


def _plural(kind: str) -> str:
    return str(KINDS[kind]._meta.verbose_name_plural)


def _preview(request: HttpRequest, brought: Brought, plan: Plan, problem: str = "") -> HttpResponse:
    options = brought.options
    blocked = _forbidden(request, plan)
    return site.page(
        request,
        "admin/widgets_app/import_preview.html",
        title="What the import would do",
        token=brought.token,
        digest=plan.digest,
        choices=ChoicesForm(
            initial={name: getattr(options, name) for name in ChoicesForm.base_fields}, label_suffix=""
        ),
        problem=problem or blocked,
        plan=plan,
        importable=plan.acts and not (plan.conflicts or plan.errors or blocked),
        counts=_counts(plan),
        files=", ".join(name for name, _ in brought.waiting.files),
        upstream=options.upstream,
        modernised=listed((difference(*each) for each in plan.modernised), DEFINITIONS_SHOWN),
        rewrites=tallied(change for _, _, changes in plan.modernised for change in changes),
        moved=[_plural(kind) for kind in plan.moved],
        groups=finding_groups(grouped(plan.findings), shown=FINDINGS_SHOWN, folded=FINDINGS_FOLDED, urls={}),
        **_steps(request, plan),
    )


def _steps(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    """Return the steps by what they do: with their differences, or by name alone."""
    by_action: dict[str, list[Step]] = {action: [] for action in WORDS}
    for step in plan.steps:
        by_action[step.action].append(step)
    shown: dict[str, Any] = {
        name: listed((_difference(request, step) for step in by_action[action]), DEFINITIONS_SHOWN)
        for name, action in (("conflicts", "conflict"), ("changed", "change"))
    }
    names = {"added": "add", "published": "publish", "removed": "remove"}
    return shown | {name: listed(by_action[action], NAMES_SHOWN) for name, action in names.items()}


def _difference(request: HttpRequest, step: Step) -> Difference:
    opts = KINDS[step.kind]._meta
    if not may_view(request, f"{opts.app_label}.{opts.model_name}"):
        return Difference(step.kind, step.name, (), note="You may not see what is here of it.")
    return difference(step.kind, step.name, step.changes)


def _counts(plan: Plan) -> Mapping[str, Any]:
    """Return how many definitions of each kind there are for each action, as a table."""
    actions = [action for action in WORDS if plan.count(action)]  # type: ignore[arg-type]  # the keys are actions
    rows = [
        (_plural(kind).capitalize(), [plan.count(action, kind) for action in actions])  # type: ignore[arg-type]
        for kind in KINDS
        if any(step.kind == kind for step in plan.steps)
    ]
    return {"headers": [WORDS[action] for action in actions], "rows": rows}


def _counted(number: int, kind: str) -> str:
    return f"1 {KINDS[kind]._meta.verbose_name}" if number == 1 else f"{number} {_plural(kind)}"


def _done(plan: Plan) -> SafeString:
    """Return what was done, with links to the lists of it."""
    parts = [
        (reverse(f"admin:{KINDS[kind]._meta.app_label}_{kind}_changelist"), f"{_counted(number, kind)} {word}")
        for kind in KINDS
        for action, word in WORDS.items()
        if action in VERBS and (number := plan.count(action, kind))  # type: ignore[arg-type]
    ]
    done = format_html_join(", ", '<a class="wb-inline" href="{}">{}</a>', parts) or "the order"
    return format_html("Imported: {}.", done)
