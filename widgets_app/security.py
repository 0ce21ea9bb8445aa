"""Security headers; the one that makes browsers refuse plain HTTP only where it can't lock anybody out."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.middleware.security import SecurityMiddleware

HSTS = "Strict-Transport-Security"
# Names of local networks: whoever has them today may serve plain HTTP tomorrow.
LOCAL = ("localhost", ".localhost", ".local", ".lan", ".internal", ".home.arpa", ".test")


class PublicHostSecurityMiddleware(SecurityMiddleware):
    """Django's, but Strict-Transport-Security is sent for the public name of PUBLIC_URL only.

    Browsers keep it for a host with all its ports, so that on localhost it would break every other server there.
    """

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        """Add the headers."""
        response = super().process_response(request, response)
        if HSTS in response.headers and not is_public_host(_host(request)):
            del response.headers[HSTS]
        return response


def _host(request: HttpRequest) -> str:
    # One that is not allowed was refused already; its refusal passes here.
    with suppress(DisallowedHost):
        return urlsplit(f"//{request.get_host()}").hostname or ""
    return ""


def is_public_host(host: str) -> bool:
    """Say whether a host is the one of PUBLIC_URL, and has a name of the public internet."""
    public = urlsplit(settings.PUBLIC_URL)
    if public.scheme != "https" or host != public.hostname or "." not in host:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not host.endswith(LOCAL)
    return False
