"""Issuing and revoking API keys."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from widgets_app import catalog
from widgets_app.authentication import make_secret
from widgets_app.errors import DefinitionError
from widgets_app.models import ALL_ROWS, ApiKey, RowValue
from widgets_app.services.row_values import Scalar, rows_of
from widgets_app.sources.base import KEY_PREFIX

NAME_LENGTH = 255


@transaction.atomic
def key_issue(
    *,
    name: str,
    user: User | None = None,
    groups: Iterable[Group] = (),
    expires_at: datetime | None = None,
    networks: Sequence[str] = (),
    rows: Mapping[str, Sequence[Scalar]] | None = None,
    may_put_files: bool = False,
) -> tuple[ApiKey, str]:
    """Make a key; return it with its text, which can't be shown again. Raises DefinitionError.

    `rows` has the values that it holds for `:key_` placeholders, a star alone for all rows.
    """
    if not name.strip() or len(name.strip()) > NAME_LENGTH:
        raise DefinitionError(f"Give the key a name of 1 to {NAME_LENGTH} characters: whose or what for it is.")
    text, prefix, digest = make_secret()
    key = ApiKey.objects.create(
        name=name.strip(),
        prefix=prefix,
        digest=digest,
        user=user,
        expires_at=expires_at,
        networks=clean_networks(networks) or None,
        may_put_files=may_put_files,
    )
    key.groups.set(groups)
    held = rows_of(rows or {})
    for row in held:
        row.api_key = key
    RowValue.objects.bulk_create(held)
    return key, text


def key_revoke(*, prefix: str) -> ApiKey:
    """Revoke a key by its prefix, or by the text that begins with it. Raises DefinitionError."""
    wanted = prefix.removeprefix("wk_").partition("_")[0]
    try:
        key = ApiKey.objects.get(prefix=wanted)
    except ApiKey.DoesNotExist:
        raise DefinitionError(f'There is no key with the prefix "{wanted}".') from None
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
    return key


def clean_networks(networks: Sequence[str]) -> list[str]:
    """Return networks in their usual form; raises DefinitionError for what is none."""
    cleaned = []
    for network in networks:
        try:
            cleaned.append(str(ipaddress.ip_network(network.strip(), strict=False)))
        except ValueError:
            raise DefinitionError(
                f'"{network}" is no network. Write an address such as 10.1.2.3, or a network such as 10.0.0.0/8.'
            ) from None
    return cleaned


@contextmanager
def key_for_a_moment(name: str, moment: timedelta) -> Iterator[str]:
    """Make a key that may see everything, for as long as the block lasts; yields its text.

    It ends after `moment` in any case, should this process be killed; what is left of such ones is deleted.
    """
    ApiKey.objects.filter(name=name, expires_at__lt=timezone.now()).delete()
    expires_at = timezone.now() + moment
    rows = {key: [ALL_ROWS] for key in _names_needed()}
    key, text = key_issue(name=name, groups=Group.objects.all(), expires_at=expires_at, rows=rows)
    try:
        yield text
    finally:
        key.delete()


def _names_needed() -> set[str]:
    """Return the names of row values that published queries ask for."""
    prepared = (query.prepared for query in catalog.current().queries.values())
    return {name.removeprefix(KEY_PREFIX) for one in prepared if one for name in one.key_names}
