"""Thin views: each turns a request into the parts of the spine and its answer into a response."""

from __future__ import annotations

import logging
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

from project.bridge import CHUNKED, DISCONNECTED, BodyBrokeOff
from widgets_app import connection, cors, documents, exceptions, serving
from widgets_app.authentication import (
    HEADER,
    QUERY_NAME,
    Caller,
    KeyAuthentication,
    authenticate,
    identified,
    without_key,
)
from widgets_app.doctor.visit import WORKSPACE
from widgets_app.errors import BadRequest, DefinitionError, Forbidden, RequestError, TooLarge, Unauthenticated
from widgets_app.exports.door import export
from widgets_app.permissions import HasCaller
from widgets_app.services import files
from widgets_app.serving import Asked, Served
from widgets_app.sources import putting

logger = logging.getLogger(__name__)

# Bytes of a request's body that are sent on at a time.
PIECE = 64 * 1024
KEY_IN_ADDRESS = (
    f"To change files send the key in the header {HEADER}, not in the address, which servers write to logs."
)
MAY_NOT = (
    "This API key lacks the right to put files. Issue one with it: manage.py issue_key NAME --may-put-files, "
    "or tick “may put files” of this one in the admin."
)
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
        force=serving.is_forced(request.headers.get("Cache-Control", ""), request.headers.get("Pragma", "")),
        known=request.headers.get("If-None-Match", ""),
    )


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    # Django reads nothing of a body that comes in chunks of unknown total length.
    body = request.META["wsgi.input"] if request.META.get(CHUNKED) else request
    try:
        while piece := body.read(PIECE):
            yield piece
    except (UnreadablePostError, BodyBrokeOff):
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


class FilesView(WidgetsView):
    """The data files of a source, for scripts with a key that may put files."""

    authentication_classes = []
    permission_classes = []

    def get(self, request: Request, source: str) -> HttpResponse:
        """List them, with the versions that are kept."""
        writer_of(request)
        found = [files.file_document(file) for file in putting.stored_files(files.files_backend(source))]
        return JsonResponse({"source": source, "files": found}, headers={"Cache-Control": "no-store"})


class FileView(WidgetsView):
    """One data file."""

    authentication_classes = []
    permission_classes = []
    http_method_names = ["put", "options"]

    def put(self, request: Request, source: str, name: str) -> HttpResponse:
        """Replace it, or take in a new one; the body is the file itself."""
        caller = writer_of(request)
        backend = files.files_backend(source)
        if int(request.META.get("CONTENT_LENGTH") or 0) > (most := putting.MAX_FILE_BYTES):
            raise TooLarge(putting.TOO_LARGE.format(name=name, most=most // 1024**2))
        try:
            stored = putting.put_file(
                backend, name, _pieces(request._request), if_match=request.headers.get("If-Match", "")
            )
        except DefinitionError as error:
            raise BadRequest(str(error)) from error
        logger.info('"%s" put the file %s of the source "%s"', caller.name, stored.name, source)
        return JsonResponse(
            files.stored_document(stored), status=200 if stored.replaced else 201, headers={"ETag": stored.etag}
        )


def writer_of(request: Request) -> Caller:
    """Return who asks. Raises as `authenticate` does, and Forbidden for a key without the right to put files."""
    if QUERY_NAME in request.GET:
        raise Unauthenticated(KEY_IN_ADDRESS)
    caller = identified(request.headers, {}, request.META.get("REMOTE_ADDR", ""))
    if not caller.may_put_files:
        raise Forbidden(MAY_NOT)
    return caller


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
