"""Who is asking: the key in a header or in the query, checked against a snapshot of all keys."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from django.conf import settings
from django.contrib.auth.models import Group
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from widgets_app import snapshots
from widgets_app.errors import Forbidden, Unauthenticated
from widgets_app.models import ALL_ROWS, ApiKey, Revision, RowValue

HEADER = "X-API-KEY"
QUERY_NAME = "api_key"
FORM = "wk"
# How often the last use of keys is written down.
LAST_USE_SECONDS = 60.0

MISSING = f"Send your API key in the header {HEADER}. Whoever runs this backend issues keys in its admin."
WRONG = "This API key is not known here. Check that it was copied whole, or ask for a new one."
REVOKED = "This API key was revoked. Ask whoever runs this backend for a new one."
EXPIRED = "This API key has expired. Ask whoever runs this backend for a new one."
NETWORK = "This API key may not be used from your network address. Ask whoever runs this backend."
LACKS = 'Your key has no row values "{name}", which this widget needs. Ask whoever runs this backend to add them.'

RowScalar = str | int | float
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, the groups that decide what they may see, and the row values that decide of which rows."""

    name: str
    groups: frozenset[str] = frozenset()
    user: str | None = None
    is_authenticated: bool = True
    may_put_files: bool = False
    # Without doubles and in one order, so that equal ones look equal; a star alone for all rows.
    values: Mapping[str, tuple[RowScalar, ...]] = field(default_factory=dict, hash=False)

    def held(self, name: str) -> tuple[RowScalar, ...] | None:
        """Return the values of a name, None for all rows. Raises Forbidden where there are none."""
        found = self.values.get(name)
        if not found:
            raise Forbidden(LACKS.format(name=name))
        return None if ALL_ROWS in found else found

    def told(self) -> dict[str, Any]:
        """Return what functions are told about who asks."""
        values = {name: list(values) for name, values in self.values.items()}
        return {"name": self.name, "user": self.user, "groups": sorted(self.groups), "values": values}


ANYONE = Caller("anyone")


@dataclass(frozen=True, slots=True)
class Key:
    """A key as requests need it."""

    pk: int
    digest: str
    caller: Caller
    active: bool
    expires_at: float | None
    networks: tuple[Network, ...]

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= time.time()

    @property
    def works(self) -> bool:
        """Whether it is let in, from the networks that it has."""
        return self.active and not self.expired


Keys = Mapping[str, Key]


def make_secret() -> tuple[str, str, str]:
    """Return a new key: its text, the prefix to find it by, and the hash to keep."""
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    return f"{FORM}_{prefix}_{secret}", prefix, digest(secret)


def digest(secret: str) -> str:
    """Hash a secret. It has 256 random bits, so a slow hash would protect nothing and cost every request."""
    return hashlib.sha256(secret.encode()).hexdigest()


def authenticate(headers: Mapping[str, str], query: Mapping[str, Sequence[str]], address: str) -> Caller:
    """Return who asks. `headers` has case-insensitive names or lower-case ones; `address` is the client's.

    Raises Unauthenticated without a key, Forbidden with one that may not be used.
    """
    return ANYONE if settings.WIDGETS_OPEN else identified(headers, query, address)


def identified(headers: Mapping[str, str], query: Mapping[str, Sequence[str]], address: str) -> Caller:
    """Return who asks as `authenticate` does, by a key even where none is needed to read."""
    text = _sent(headers, query)
    if not text:
        raise Unauthenticated(MISSING)
    key = _find(text)
    _check(key, address)
    _used[key.pk] = time.time()
    return key.caller


def _sent(headers: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> str:
    if key := headers.get("x-api-key", ""):
        return key.strip()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    sent = query.get(QUERY_NAME) if settings.WIDGETS_QUERY_KEY else None
    return sent[-1].strip() if sent else ""


def without_key(query_string: str) -> str:
    """Return a query as it came, without our key."""
    parts = query_string.split("&")
    return "&".join(part for part in parts if unquote_plus(part.partition("=")[0]) != QUERY_NAME)


def _find(text: str) -> Key:
    form, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    key = KEYS.current().get(prefix) if form == FORM else None
    if key is None or not hmac.compare_digest(key.digest, digest(secret)):
        raise Forbidden(WRONG)
    return key


def _check(key: Key, address: str) -> None:
    if not key.active:
        raise Forbidden(REVOKED)
    if key.expired:
        raise Forbidden(EXPIRED)
    if key.networks and not _within(address, key.networks):
        raise Forbidden(NETWORK)


def _within(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)


def _compile(_old: Keys | None, _number: int) -> Keys:
    holders = ("groups__row_values", "user__groups__row_values", "user__row_values", "row_values")
    keys = ApiKey.objects.select_related("user").prefetch_related(*holders)
    return {key.prefix: _key(key) for key in keys}


def _key(key: ApiKey) -> Key:
    groups = {*key.groups.all(), *(key.user.groups.all() if key.user else ())}
    networks = _networks(key.networks or [])
    caller = Caller(
        name=key.name,
        groups=frozenset(group.name for group in groups),
        user=key.user.get_username() if key.user else None,
        values=_row_values(key, groups),
        may_put_files=key.may_put_files,
    )
    return Key(
        pk=key.pk,
        digest=key.digest,
        caller=caller,
        active=key.revoked_at is None and networks is not None and (key.user is None or key.user.is_active),
        expires_at=key.expires_at.timestamp() if key.expires_at else None,
        networks=networks or (),
    )


def _row_values(key: ApiKey, groups: Iterable[Group]) -> dict[str, tuple[RowScalar, ...]]:
    """Return the values that a key holds itself, else those of its user, else those of all its groups together."""
    found: dict[str, list[RowScalar]] = {}
    for group in groups:
        for row in group.row_values.all():
            found.setdefault(row.name, []).extend(_usable(row))
    for rows in (key.user.row_values.all() if key.user else (), key.row_values.all()):
        found |= {row.name: _usable(row) for row in rows}
    return {name: _united(values) for name, values in sorted(found.items())}


def _usable(row: RowValue) -> list[RowScalar]:
    """Return the values of a row, none where anything in it can't be one: it then lacks, and hides wider ones."""
    values: Any = row.values
    return values if isinstance(values, list) and all(map(_is_usable, values)) else []


def _is_usable(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return is_number or isinstance(value, str)


def _united(values: Sequence[RowScalar]) -> tuple[RowScalar, ...]:
    if ALL_ROWS in values:
        return (ALL_ROWS,)
    # Databases take no lists of both.
    texts = any(isinstance(value, str) for value in values)
    return tuple(sorted({str(value) for value in values} if texts else set(values)))


def _networks(texts: object) -> tuple[Network, ...] | None:
    """Parse a key's networks; None when that fails, and the key is then refused rather than let in everywhere."""
    try:
        return tuple(ipaddress.ip_network(str(text)) for text in texts) if isinstance(texts, list) else None
    except ValueError:
        return None


KEYS: snapshots.Snapshot[Keys] = snapshots.Snapshot(Revision.KEYS, _compile)
snapshots.each_round(KEYS.check)

_used: dict[int, float] = {}
_written_at = time.monotonic()


def write_last_use() -> None:
    """Write down when keys were last used: once in a while, and never from a request."""
    global _written_at
    if not _used or time.monotonic() - _written_at < LAST_USE_SECONDS:
        return
    _written_at = time.monotonic()
    for pk in list(_used):
        when = datetime.fromtimestamp(_used.pop(pk), tz=UTC)
        ApiKey.objects.filter(pk=pk).update(last_used_at=when)


snapshots.each_round(write_last_use)


class KeyAuthentication(BaseAuthentication):
    """The key of a request, for the framework's views."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        """Return the caller; a preflight is never asked for a key."""
        if request.method == "OPTIONS":
            return ANYONE, None
        address = request.META.get("REMOTE_ADDR", "")
        query: Any = dict(request.GET.lists())
        return authenticate(request.headers, query, address), None
