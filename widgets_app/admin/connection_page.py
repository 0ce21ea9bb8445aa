"""The page Connection: what to enter in Workspace, the certificate, a test from this browser, and the doctor."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from project import certificates, tls
from project.certificates import CertificateError, State
from widgets_app import connection
from widgets_app.admin import checkup_page
from widgets_app.admin.guide import guide_url
from widgets_app.admin.site import site
from widgets_app.authentication import HEADER
from widgets_app.doctor.visit import WORKSPACE, is_loopback, is_private

LOOPBACKS = ("127.0.0.1", "localhost")


class Reach(NamedTuple):
    """Whether some browsers reach the address from a page such as Workspace, and what is to be known."""

    browsers: str
    works: bool
    text: str


class Certificate(NamedTuple):
    """What is to be said about HTTPS; `state` only where this backend has a certificate of its own."""

    text: str
    todo: str = ""
    state: State | None = None
    authority: Path | None = None
    trust: str = ""
    is_wrong: bool = False


def page(request: HttpRequest) -> HttpResponse:
    """Show the page, or start the examination that somebody asks for."""
    form = checkup_page.form_for(request)
    if form is not None and request.method == "POST" and form.is_valid():
        return checkup_page.start(request, form)
    return site.page(
        request,
        "admin/widgets_app/connection.html",
        title="Connection",
        public_url=settings.PUBLIC_URL,
        header=HEADER,
        open=settings.WIDGETS_OPEN,
        issue_url=reverse("admin:widgets_app_apikey_add") if request.user.has_perm("widgets_app.add_apikey") else "",
        reaches=_reaches(),
        certificate=_certificate(request),
        https_guide=guide_url("https"),
        form=form,
        **(checkup_page.overview(request) if form is not None else {}),
    )


# ---- the address


def _reaches() -> list[Reach]:
    parts = urlsplit(settings.PUBLIC_URL)
    near = is_loopback(parts.hostname or "")
    where = "from this server's own computer only" if near else "from every computer that reaches the address"
    if parts.scheme == "https":
        return [
            Reach("Chrome, Edge, Firefox, Safari, Brave, Excel", True, f"{where}, once they trust the certificate.")
        ]
    if near:
        return [
            Reach("Chrome, Edge, Firefox", True, f"{where}; they may ask for access to this device: allow it."),
            Reach("Safari, Brave, Excel on the Mac", False, "they want HTTPS on the same computer too."),
        ]
    text = "Workspace is an HTTPS page, and no browser lets it ask plain http:// of another computer. Serve HTTPS."
    return [Reach("Chrome, Edge, Firefox, Safari, Brave, Excel", False, text)]


# ---- the certificate


def authority(_request: HttpRequest) -> FileResponse:
    """Send the certificate of the authority, which everybody may have: its key stays in another file."""
    try:
        file = tls.authority_path().open("rb")
    except OSError:
        raise Http404("There is no authority here yet. Start the server with --https.") from None
    return FileResponse(
        file, as_attachment=True, filename="widgets-authority.pem", content_type="application/x-pem-file"
    )


def _certificate(request: HttpRequest) -> Certificate:
    is_public_https = settings.PUBLIC_URL.startswith("https://")
    if tls.has_authority():
        return _own_certificate(_serves_itself(request))
    if is_public_https:
        return Certificate(
            "This backend has made no certificate of its own: HTTPS is served by something in front of it, such as a "
            "reverse proxy, or with a certificate that was given to it (--certfile).",
            "The examination below looks at it as browsers do.",
        )
    if request.is_secure():
        text = "This page came over HTTPS, but the address above says http."
        return Certificate(text, "Set PUBLIC_URL to the https:// address, and restart.", is_wrong=True)
    return Certificate(
        "This backend is served over plain HTTP.",
        "Start it with --https, or with HTTPS=1, and it makes a certificate for this computer.",
    )


def _serves_itself(request: HttpRequest) -> bool:
    """Say whether this server speaks HTTPS itself; behind a proxy that it believes, the request does not tell."""
    return bool(settings.HTTPS or (request.is_secure() and not settings.TRUSTED_PROXIES))


def _own_certificate(served: bool) -> Certificate:
    path = tls.authority_path()
    try:
        state = certificates.state_of(path.with_name(certificates.SERVER))
        trust = tls.how_to_trust(path).strip()
    except CertificateError as error:
        return Certificate(str(error), "Start the server with --https: it makes a new one.", is_wrong=True)
    if not served:
        text = "This backend has a certificate of its own, but this page came without it."
        return Certificate(text, "It is used when the server starts with --https, or with HTTPS=1.", state, path, trust)
    if state.days_left < 0:
        todo = "Restart the server: it makes a new one. The authority stays, so nothing has to be trusted again."
        return Certificate("The certificate has run out.", todo, state, path, trust, is_wrong=True)
    return Certificate(
        "This backend serves HTTPS with a certificate from this computer's own authority, unless it was "
        "started with another one (--certfile).",
        "Every computer that uses it has to trust the authority once. The certificate is renewed by itself.",
        state,
        path,
        trust,
    )


# ---- the test from this browser


def test(request: HttpRequest) -> JsonResponse:
    """Return what a test from this browser needs: a token for some minutes, and pages of other origins to ask from."""
    # The browser knows better than a server behind a proxy that does not pass the scheme on.
    scheme = "https" if request.GET.get("scheme") == "https" else request.scheme or "http"
    token = connection.token_for(f"{scheme}://{request.get_host()}")
    frame = reverse("connection_frame", args=[token])
    other = _other_loopback(scheme, request.get_host())
    frames = [{"url": f"{other}{frame}", "sandbox": "allow-scripts allow-same-origin"}] if other else []
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    return JsonResponse(
        {
            # From a sandbox without an origin where there is no other name of this server.
            "frames": [*frames, {"url": frame, "sandbox": "allow-scripts"}],
            "url": settings.PUBLIC_URL,
            "health": f"{settings.PUBLIC_URL}/-/health",
            "ask": f"{settings.PUBLIC_URL}{reverse('connection_ask', args=[token])}",
            "widgets": f"{settings.PUBLIC_URL}/widgets.json",
            "header": HEADER,
            "workspace": WORKSPACE,
            "open": settings.WIDGETS_OPEN,
            "is_loopback": is_loopback(host),
            "is_private": is_private(host),
        },
        headers={"Cache-Control": "no-store"},
    )


def _other_loopback(scheme: str, host_and_port: str) -> str:
    """Return this server's origin under its other name on this computer: for browsers, another site's page.

    Empty where there is none, or where PUBLIC_URL has it: what is asked from there would be no other origin's.
    """
    host, colon, port = host_and_port.partition(":")
    if host not in LOOPBACKS:
        return ""
    other = LOOPBACKS[1 - LOOPBACKS.index(host)]
    origin = f"{scheme}://{other}{colon}{port}"
    is_allowed = other in settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS
    return origin if is_allowed and origin != "://".join(urlsplit(settings.PUBLIC_URL)[:2]) else ""
