"""Secrets at rest: encrypted with a key made from SECRET_KEY, so that a copy of the database gives none away."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from widgets_app.errors import DefinitionError

UNREADABLE = (
    "Its secrets were encrypted with another SECRET_KEY. Enter them again, or add that key to SECRET_KEY_FALLBACKS."
)


def seal(secrets: dict[str, Any]) -> str | None:
    """Return secret options as text for the database; None for none."""
    return _cipher().encrypt(json.dumps(secrets).encode()).decode("ascii") if secrets else None


def unseal(text: str | None) -> dict[str, Any]:
    """Return what was sealed. Raises DefinitionError when neither SECRET_KEY nor an older key opens it."""
    if not text:
        return {}
    try:
        opened: dict[str, Any] = json.loads(_cipher().decrypt(text.encode()))
    except (InvalidToken, ValueError):
        raise DefinitionError(UNREADABLE) from None
    return opened


def resealed(text: str) -> str | None:
    """Return the same secrets sealed with SECRET_KEY, None where they are already. Raises as `unseal`."""
    try:
        _fernet(settings.SECRET_KEY).decrypt(text.encode())
    except InvalidToken:
        return seal(unseal(text))
    return None


def _cipher() -> MultiFernet:
    """Return what seals with the first key, and opens with all of them."""
    return MultiFernet([_fernet(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _fernet(key: str) -> Fernet:
    # Apart from Django's own uses of the key; it has the strength of 50 random characters, so one hash is enough.
    digest = hashlib.sha256(b"widgets_app.sealing:" + key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
