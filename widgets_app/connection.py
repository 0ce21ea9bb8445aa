"""The test from a browser: a page of another origin than this backend's, and the one thing that it may ask.

Only pages of Workspace may read answers of this backend, and no browser lets another page pretend to be one. So the
admin hands out a token for a few minutes; below it, and nowhere else, pages of every origin may ask, and are told what
arrived of their request: no data, nothing that a cookie or a key would open.
"""

from __future__ import annotations

from django.core import signing

PREFIX = "/-/connection/"
ASK = "/ask"
SECONDS = 300
SALT = "widgets_app.connection"


def token_for(origin: str) -> str:
    """Return a token for the page of the admin that has this origin."""
    return signing.dumps(origin, salt=SALT)


def origin_of(token: str) -> str | None:
    """Return the origin that a token was made for; None for one that is wrong or too old."""
    try:
        return str(signing.loads(token, salt=SALT, max_age=SECONDS))
    except signing.BadSignature:
        return None


def is_ask(path: str) -> bool:
    """Say whether a path is that of a test that may go on, which pages of every origin may ask."""
    token = path.removeprefix(PREFIX).removesuffix(ASK)
    return path == f"{PREFIX}{token}{ASK}" and origin_of(token) is not None
