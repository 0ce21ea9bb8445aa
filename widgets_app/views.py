"""Thin views: each turns a request into the parts of the spine and its answer into a response."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from rest_framework.request import Request
from rest_framework.views import APIView

from widgets_app import documents, serving
from widgets_app.authentication import KEYS, QUERY_NAME, KeyAuthentication
from widgets_app.catalog import CATALOG
from widgets_app.permissions import HasCaller


class WidgetsView(APIView):
    """What all views here have in common."""

    authentication_classes = [KeyAuthentication]
    permission_classes = [HasCaller]
    http_method_names = ["get", "head", "options"]

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer OPTIONS without asking for a key; browsers' preflights are answered before this."""
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


class DataView(WidgetsView):
    """The data of widgets and the options of dropdowns."""

    def get(self, request: Request, path: str) -> HttpResponse:
        """Answer from the spine."""
        caller: Any = request.user
        query = dict(request.GET.lists())
        # A key in the query is for us alone: no widget's parameter may receive it.
        query.pop(QUERY_NAME, None)
        served = serving.serve(path, query, caller)
        return HttpResponse(served.body.content, headers=dict(served.headers))


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
    ready = CATALOG.is_loaded and KEYS.is_loaded
    state = "starting" if not ready else "stale" if CATALOG.stale or KEYS.stale else "ok"
    return JsonResponse({"status": state}, status=200 if ready else 503)
