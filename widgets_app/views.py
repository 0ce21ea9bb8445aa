"""Thin views: each turns a request into the parts of the spine and its answer into a response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from rest_framework.request import Request
from rest_framework.views import APIView

from project.bridge import DISCONNECTED
from widgets_app import connection, cors, documents, exceptions, serving
from widgets_app.authentication import HEADER, QUERY_NAME, KeyAuthentication, authenticate, without_key
from widgets_app.doctor.visit import WORKSPACE
from widgets_app.errors import BadRequest, RequestError
from widgets_app.exports.door import export
from widgets_app.permissions import HasCaller
from widgets_app.serving import Asked, Served

# Bytes of a request's body that are sent on at a time.
PIECE = 64 * 1024
TEST_OVER = "This test is over. Start it again on the page Connection of the admin."


class WidgetsView(APIView):
    """What all views here have in common."""

    authentication_classes = [KeyAuthentication]
    permission_classes = [HasCaller]
    http_method_names = ["get", "head", "options"]

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer OPTIONS without asking for a key; browsers' preflights are answered before this."""
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


class DataView(WidgetsView):
    """The data of widgets, the options of dropdowns, and all that goes on to upstreams."""

    http_method_names = [*WidgetsView.http_method_names, "post", "put", "patch", "delete"]

    def answer(self, request: Request, path: str) -> HttpResponseBase:
        """Answer from the spine."""
        caller: Any = request.user
        response = response_of(serving.serve(asked(request._request, path), caller))
        # Widgets of the type iframe are pages that Workspace shows in a frame.
        response.xframe_options_exempt = True  # type: ignore[attr-defined]  # Django's own mark
        return response

    get = post = put = patch = delete = answer


class ExportView(WidgetsView):
    """The rows of widgets as files."""

    def get(self, request: Request, name: str) -> HttpResponseBase:
        """Answer with a file; HEAD makes none."""
        caller: Any = request.user
        return response_of(export(asked(request._request, name), caller))


def response_of(served: Served) -> HttpResponseBase:
    """Return what the spine answered as a response."""
    response: HttpResponseBase = (
        HttpResponse(served.content, status=served.status)
        if isinstance(served.content, bytes)
        else StreamingHttpResponse(served.content, status=served.status)
    )
    # Django's own default would say that an answer without a type is a page.
    del response["Content-Type"]
    for name, value in served.headers:
        response[name] = value
    return response


def asked(request: HttpRequest, path: str) -> Asked:
    """Return a request in the form of the spine. A key in the query is for us alone: nothing behind may receive it."""
    query = dict(request.GET.lists())
    query.pop(QUERY_NAME, None)
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    return Asked(
        path=path,
        query=query,
        method=request.method or "GET",
        query_string=without_key(request.META.get("QUERY_STRING", "")),
        content_type=request.META.get("CONTENT_TYPE", ""),
        body=_pieces(request) if length else None,
        length=length or None,
        departure=request.META.get(DISCONNECTED),
    )


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    try:
        while piece := request.read(PIECE):
            yield piece
    except UnreadablePostError:
        raise BadRequest("The body of the request broke off. Send it again.") from None


class DocumentView(WidgetsView):
    """The manifests. They are answered by one function, which checks the key itself."""

    authentication_classes = []
    permission_classes = []

    def get(self, request: Request, path: str) -> HttpResponse:
        """Answer with the bytes of the manifest."""
        query, headers = request.META["QUERY_STRING"], {k.lower(): v for k, v in request.headers.items()}
        found = documents.answer(path, query, headers, request.META["REMOTE_ADDR"])
        return HttpResponse(found.content, status=found.status, headers=dict(found.headers))


class RootView(WidgetsView):
    """The address that a person may open in a browser."""

    authentication_classes = []
    permission_classes = []

    def get(self, request: Request) -> HttpResponse:
        """Say what this is; or answer the Excel add-in's way of asking for a manifest."""
        if path := documents.document_path("/", request.META["QUERY_STRING"]):
            return DocumentView.as_view()(request._request, path=path)
        return JsonResponse(
            {
                "name": "Widgets backend for OpenBB Workspace",
                "version": settings.VERSION,
                "widgets": f"{settings.PUBLIC_URL}/widgets.json",
                "admin": f"{settings.PUBLIC_URL}/admin/",
            }
        )


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Say whether this process can answer: 200 with its state, 503 while it has no definitions."""
    found = documents.health()
    return HttpResponse(found.content, status=found.status, headers=dict(found.headers))


@require_safe
def connection_frame(request: HttpRequest, token: str) -> HttpResponse:
    """Return the page that tests the connection for the admin's, in a frame, and for nobody else's."""
    admin = connection.origin_of(token)
    if admin is None:
        return exceptions.response(404, TEST_OVER)
    page = format_html(
        '<!doctype html><title>Test</title><script src="{}" data-admin="{}"></script>',
        static("widgets_app/connection_frame.js"),
        admin,
    )
    # The host by its name: 'self' is nobody in a sandbox.
    policy = f"default-src 'none'; script-src {request.get_host()}; connect-src *; frame-ancestors {admin}"
    response = HttpResponse(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})
    response.xframe_options_exempt = True  # the policy says who may frame it
    return response


@csrf_exempt
def connection_ask(request: HttpRequest, token: str) -> HttpResponse:
    """Say what arrived of a request of the test, and what would be said to its key."""
    if connection.origin_of(token) is None:
        return exceptions.response(404, TEST_OVER)
    origin, key = request.headers.get("Origin", ""), request.headers.get(HEADER, "")
    return JsonResponse(
        {
            "origin": origin,
            "origin_allowed": cors.allows(origin),
            "workspace_allowed": cors.allows(WORKSPACE),
            "method": request.method,
            "key_arrived": bool(key),
            "key_refused": _refusal(key, request.META["REMOTE_ADDR"]),
        },
        headers={"Cache-Control": "no-store"},
    )


def _refusal(key: str, address: str) -> str:
    """Return why a key would be refused; empty where it would not be."""
    try:
        authenticate({HEADER.lower(): key}, {}, address)
    except RequestError as error:
        return str(error)
    return ""
