"""The one shape of an error: `{"detail": text, "error": the same text}`, one line that says what to do."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from widgets_app.errors import RequestError, one_line

logger = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong in the backend. Its log tells what; ask whoever runs it."


def body(text: str) -> dict[str, str]:
    """Return the error under both names that clients look for."""
    return {"detail": text, "error": text}


def response(status: int, text: str, *, retry_after: int | None = None) -> HttpResponse:
    """Return a finished answer, for places outside the framework's own views."""
    answer = HttpResponse(orjson.dumps(body(text)), status=status, content_type="application/json")
    if retry_after is not None:
        answer["Retry-After"] = str(retry_after)
    return answer


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse | Response:
    """Turn any exception of a view into the one shape; unexpected ones are logged with their traceback."""
    if isinstance(error, RequestError):
        return response(error.status, str(error), retry_after=error.retry_after)
    if isinstance(error, drf.APIException):
        return response(error.status_code, one_line(str(error.detail)))
    logger.exception("Unexpected error in %s", context.get("view"), exc_info=error)
    return response(500, UNEXPECTED)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself refuses, such as an unknown Host."""
    return response(400, "The request can't be used: check the address and ALLOWED_HOSTS of the backend.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a path that nothing serves."""
    return response(404, "There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a fault outside the framework's views."""
    return response(500, UNEXPECTED)
