"""The doctor in the admin: the form that starts an examination, its progress, its result, and what came before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from widgets_app.admin.guide import guide_url
from widgets_app.admin.navigation import may_examine, may_examine_others
from widgets_app.admin.site import site
from widgets_app.admin.theme import PasswordInput, RadioInput, SwitchInput, TextInput
from widgets_app.authentication import HEADER
from widgets_app.doctor import Limits, Report, Target
from widgets_app.doctor.visit import WORKSPACE
from widgets_app.errors import Busy, DefinitionError
from widgets_app.manifest.contract import Finding
from widgets_app.models import Checkup
from widgets_app.services.checkups import AT_ONCE, KEPT, checkup_start, difference, is_this_backend, report_of
from widgets_app.sources.outbound import check_headers

GUIDE = "troubleshooting"
SHOWN = 20  # earlier examinations on the page that starts them
SEVERITIES = {"error": "error", "warning": "warning", "info": "note"}


class CheckupForm(forms.Form):
    """Which backend, as whom, and as which page."""

    url = forms.CharField(
        label="Address",
        max_length=Checkup.URL_LENGTH,
        widget=TextInput(),
        help_text="As it is entered in Workspace. This backend's own, or that of any other.",
    )
    origin = forms.CharField(
        label="Page that calls it",
        max_length=255,
        widget=TextInput(),
        help_text="Change it if you run Workspace under an address of your own.",
    )
    send_forms = forms.BooleanField(
        label="Send empty forms",
        required=False,
        initial=True,
        widget=SwitchInput(),
        help_text="To see whether forms answer. A backend that takes a form without any value would act on it.",
    )
    place = forms.ChoiceField(
        label="The key is sent",
        choices=[("header", "as a header"), ("query", "in the query of each address")],
        initial="header",
        widget=RadioInput(),
    )
    name = forms.CharField(label="Its name", max_length=100, required=False, initial=HEADER, widget=TextInput())
    value = forms.CharField(
        label="The key",
        max_length=4000,
        required=False,
        widget=PasswordInput({"autocomplete": "off"}),
        help_text="Used for this examination only and kept nowhere. Left empty, this backend is asked with a key that "
        "exists as long as the examination; others are asked without.",
    )

    def __init__(self, data: Any, *, initial: dict[str, Any], may_examine_others: bool, may_send_forms: bool) -> None:
        super().__init__(data, initial=initial, label_suffix="")
        if not may_send_forms:
            # A form that takes anything would store it.
            del self.fields["send_forms"]
        self.may_examine_others = may_examine_others
        if not may_examine_others:
            self.fields["url"].widget.attrs["readonly"] = True
            self.fields["url"].help_text = (
                "Only this backend's own: an examination is made from this server, which reaches more than you may. "
                "Who may change sources may examine others too."
            )

    def clean_url(self) -> str:
        """Take what the doctor can judge, without a key in it, which would be kept."""
        url: str = self.cleaned_data["url"]
        if not self.may_examine_others and not is_this_backend(url):
            raise ValidationError(f"You may examine {settings.PUBLIC_URL} only. Who may change sources may do more.")
        if set("@?#") & set(url):
            raise ValidationError("Leave out what follows ? or #, and names before @: keys are entered below.")
        return url

    def clean_origin(self) -> str:
        """Take what browsers send as an origin."""
        origin: str = self.cleaned_data["origin"].rstrip("/")
        try:
            parts = urlsplit(origin)
            whole = f"{parts.scheme}://{parts.netloc}" == origin and parts.hostname and parts.port != 0
        except ValueError:
            whole = False
        if not whole or not origin.isascii() or not origin.isprintable() or " " in origin:
            raise ValidationError("Write it as https://pro.openbb.co: scheme and host, with a port if there is one.")
        return origin

    def clean(self) -> dict[str, Any]:
        """Take a key that can be sent."""
        super().clean()
        data = self.cleaned_data
        if not data.get("value") or "name" not in data:
            return data
        if not data["name"]:
            self.add_error("name", f"Write the name under which the key is sent, such as {HEADER}.")
        elif data.get("place") == "header":
            self._check_header("name", data["name"], "")
            self._check_header("value", HEADER, data["value"])
        return data

    def _check_header(self, field: str, name: str, value: str) -> None:
        try:
            check_headers({name: value})
        except DefinitionError as error:
            self.add_error(field, str(error))

    def target(self) -> Target:
        """Return whom to examine, and how."""
        data = self.cleaned_data
        credential = {data["name"]: data["value"]} if data["value"] else {}
        return Target(
            data["url"],
            headers=credential if data["place"] == "header" else {},
            query=credential if data["place"] == "query" else {},
            origin=data["origin"],
            send_forms=data.get("send_forms", False),
        )


# ---- starting one


def form_for(request: HttpRequest) -> CheckupForm | None:
    """Return the form as this user may fill it in; None for who may start no examination."""
    if not may_examine(request):
        if request.method == "POST":
            raise PermissionDenied
        return None
    posted, others = request.POST if request.method == "POST" else None, may_examine_others(request)
    url = request.GET.get("url", "") if others else ""
    initial = {"url": url or settings.PUBLIC_URL, "origin": request.GET.get("origin") or WORKSPACE}
    may_send = request.user.has_perm("widgets_app.change_widget")
    return CheckupForm(posted, initial=initial, may_examine_others=others, may_send_forms=may_send)


def start(request: HttpRequest, form: CheckupForm) -> HttpResponse:
    """Start what was asked for, and lead to it."""
    try:
        checkup = checkup_start(target=form.target(), by=request.user)  # type: ignore[arg-type]  # signed in
    except Busy as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:connection"))
    return HttpResponseRedirect(_url(checkup))


def overview(request: HttpRequest) -> dict[str, Any]:
    """Return what the page that starts examinations shows of earlier ones."""
    checkups = [_listed(each) for each in _visible(request)[:SHOWN]]
    return {"checkups": checkups, "limits": Limits(), "at_once": AT_ONCE, "kept": KEPT}


# ---- one examination


class Listed(NamedTuple):
    """One examination in a list."""

    checkup: Checkup
    url: str
    counts: str


class Group(NamedTuple):
    """What was found under one code."""

    severity: str
    code: str
    title: str
    guide: str
    findings: Sequence[Finding]


def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one examination: how far it is, or what it found, all of it or compared with an earlier one."""
    checkup = _get(request, pk)
    report = report_of(checkup)
    earlier_ones = list(_visible(request).filter(url=checkup.url, pk__lt=checkup.pk))
    before = next((each for each in earlier_ones if str(each.pk) == request.GET.get("compare") and each.report), None)
    context: dict[str, Any] = {}
    if report is not None:
        context["counts"] = _counts(report)
        context["groups"] = _groups(report.findings)
        context["checked"] = report.checked
    if report is not None and before is not None and (earlier := report_of(before)):
        found = difference(earlier.findings, report.findings)
        context["changes"] = [
            ("New", "since then", _groups(found.new)),
            ("Gone", "mended, or not looked at any more", _groups(found.gone)),
            ("The same", "as before", _groups(found.same)),
        ]
    return site.page(
        request,
        "admin/widgets_app/checkup.html",
        title="Examination",
        checkup=checkup,
        seconds=_seconds(checkup),
        limits=Limits(),
        report=report,
        guide=f"docs/{GUIDE}.md",
        before=before,
        earlier=[_listed(each) for each in earlier_ones],
        again=f"{reverse('admin:connection')}?{urlencode({'url': checkup.url, 'origin': checkup.origin})}#doctor",
        **context,
    )


def progress(request: HttpRequest, pk: int) -> JsonResponse:
    """Return how far an examination is."""
    checkup = _get(request, pk)
    return JsonResponse(
        {
            "state": checkup.state,
            "looking_at": checkup.looking_at,
            "done": checkup.done,
            "total": checkup.total,
            "seconds": _seconds(checkup),
        },
        headers={"Cache-Control": "no-store"},
    )


def _visible(request: HttpRequest) -> Any:
    """Return the examinations that this user may see: of other backends only those who may make them."""
    if not may_examine(request):
        raise PermissionDenied
    checkups = Checkup.objects.select_related("started_by")
    if may_examine_others(request):
        return checkups
    own = settings.PUBLIC_URL.rstrip("/")
    return checkups.filter(url__in=[own, f"{own}/"])


def _get(request: HttpRequest, pk: int) -> Checkup:
    checkup: Checkup | None = _visible(request).filter(pk=pk).first()
    if checkup is None:
        raise Http404("There is no such examination. Old ones are deleted when new ones come.")
    return checkup


def _seconds(checkup: Checkup) -> int:
    return round(((checkup.finished_at or timezone.now()) - checkup.started_at).total_seconds())


def _url(checkup: Checkup) -> str:
    return reverse("admin:checkup", args=[checkup.pk])


def _listed(checkup: Checkup) -> Listed:
    report = report_of(checkup)
    return Listed(checkup, _url(checkup), _counts(report) if report else "")


def _counts(report: Report) -> str:
    counted = ((report.count(severity), word) for severity, word in SEVERITIES.items())
    return ", ".join(f"{count or 'no'} {word}{'' if count == 1 else 's'}" for count, word in counted)


def _groups(findings: Iterable[Finding]) -> list[Group]:
    """Return findings by code and severity, in the order in which the first of each was found."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.code), []).append(finding)
    return [
        Group(severity, code, code.replace("-", " ").capitalize(), guide_url(GUIDE, code), found)
        for (severity, code), found in groups.items()
    ]
