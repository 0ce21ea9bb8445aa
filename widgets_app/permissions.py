"""What a caller may do at all; what they may see is decided by the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from widgets_app.authentication import Caller

if TYPE_CHECKING:
    # The framework imports this module while it imports its own views.
    from rest_framework.views import APIView


class HasCaller(BasePermission):
    """Let in whoever was authenticated."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether authentication found a caller."""
        return isinstance(request.user, Caller)
