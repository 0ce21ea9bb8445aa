"""CORS on every answer. django-cors-headers does it; what it can't is added here."""

from __future__ import annotations

from functools import lru_cache

from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from widgets_app import connection


class EchoingCorsMiddleware(CorsMiddleware):
    """Allow every header name that a preflight asks for: users choose the name of their key's header."""

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the headers; a preflight from an allowed page is allowed the header names it asks for."""
        response = super().add_response_headers(request, response)
        asked = request.headers.get("Access-Control-Request-Headers")
        if asked and "Access-Control-Allow-Headers" in response.headers:
            response.headers["Access-Control-Allow-Headers"] = asked
        return response

    def check_signal(self, request: HttpRequest) -> bool:
        """Let pages of every origin ask what the test from a browser asks."""
        return super().check_signal(request) or connection.is_ask(request.path_info)


@lru_cache(maxsize=256)
def headers_for(origin: str | None) -> tuple[tuple[str, str], ...]:
    """Return the CORS headers of an answer that is made outside Django's middleware, for a page's Origin."""
    request = HttpRequest()
    request.path_info = "/"
    if origin:
        request.META["HTTP_ORIGIN"] = origin
    middleware = EchoingCorsMiddleware(lambda _request: HttpResponse())
    response = middleware.add_response_headers(request, HttpResponse())
    return tuple(
        (name, value)
        for name, value in response.items()
        if name.lower() == "vary" or name.lower().startswith("access-control-")
    )


def allows(origin: str) -> bool:
    """Say whether a page with this origin may read answers of this backend."""
    return any(name.lower() == "access-control-allow-origin" for name, _ in headers_for(origin))
