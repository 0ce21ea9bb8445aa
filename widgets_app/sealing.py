"""Secrets at rest: encrypted with a key made from SECRET_KEY, so that a copy of the database gives none away."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from widgets_app.errors import DefinitionError

UNREADABLE = "Its secrets were encrypted with another SECRET_KEY. Enter them again."


def seal(secrets: dict[str, Any]) -> str | None:
    """Return secret options as text for the database; None for none."""
    return _cipher().encrypt(json.dumps(secrets).encode()).decode("ascii") if secrets else None


def unseal(text: str | None) -> dict[str, Any]:
    """Return what was sealed. Raises DefinitionError when SECRET_KEY is another one by now."""
    if not text:
        return {}
    try:
        opened: dict[str, Any] = json.loads(_cipher().decrypt(text.encode()))
    except (InvalidToken, ValueError):
        raise DefinitionError(UNREADABLE) from None
    return opened


def _cipher() -> Fernet:
    # Apart from Django's own uses of the key; it has the strength of 50 random characters, so one hash is enough.
    digest = hashlib.sha256(b"widgets_app.sealing:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
