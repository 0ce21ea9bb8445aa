"""Sources as documents, and their secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain, count
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.text import slugify

from widgets_app.compiled import open_backend
from widgets_app.errors import DefinitionError
from widgets_app.models import Source
from widgets_app.sealing import resealed, seal, unseal
from widgets_app.sources import address as addresses

Document = dict[str, Any]

FIELDS = ("name", "kind", "description", "options", "seconds", "rows", "megabytes", "slots")
UPSTREAM_KIND = "http"
# In a document: the secret options themselves on their way in, never on the way out.
SECRETS = "secrets"


def source_document(source: Source) -> Document:
    """Return a source without its secrets."""
    return {name: getattr(source, name) for name in FIELDS}


def secrets_of(source: Source) -> dict[str, Any]:
    """Return the secret options of a source. Raises DefinitionError when they can't be read any more."""
    return unseal(source.secrets)


def secrets_set(source: Source, secrets: Mapping[str, Any]) -> None:
    """Give a source these secret options; it is not saved."""
    with suppress(DefinitionError):
        # Sealed anew, the same secrets look like others, and all that is open or kept would be given up.
        if secrets_of(source) == secrets:
            return
    source.secrets = seal(dict(secrets))


def secrets_rotate() -> tuple[list[str], list[str]]:
    """Seal the secrets of all sources with SECRET_KEY; return the names of those changed, and of those unreadable."""
    changed, unreadable = [], []
    for source in Source.objects.exclude(secrets=None):
        try:
            sealed = resealed(source.secrets or "")
        except DefinitionError:
            unreadable.append(source.name)
            continue
        # Whoever has entered others meanwhile is right.
        if sealed and Source.objects.filter(pk=source.pk, secrets=source.secrets).update(secrets=sealed):
            changed.append(source.name)
    return changed, unreadable


def origin_of(url: object) -> tuple[str, str, int] | str | None:
    """Return what has to stay the same of an address for its secrets to stay: all of it but for a web address.

    None where there is no address.
    """
    try:
        return addresses.parse(str(url)).origin
    except DefinitionError:
        return str(url).strip() if url else None


def source_save(
    document: Document, source: Source | None = None, *, secrets: Mapping[str, Any] | None = None
) -> Source:
    """Make a source, or change one; its secrets stay as they are unless some are given, or its address is another one.

    Raises DefinitionError when it is not valid or can't be opened.
    """
    source = source_filled(document, source, secrets=secrets)
    source.save()
    return source


def source_filled(
    document: Document, source: Source | None = None, *, secrets: Mapping[str, Any] | None = None
) -> Source:
    """Return what `source_save` would save. Raises DefinitionError as it does."""
    source = source or Source()
    before = origin_of((source.options or {}).get("url"))
    for name in FIELDS:
        if name in document:
            setattr(source, name, document[name])
    if secrets is not None:
        secrets_set(source, secrets)
    elif origin_of((source.options or {}).get("url")) != before:
        # Whoever changes an address must not get what was meant for another one.
        source.secrets = None
    try:
        source.full_clean()
    except ValidationError as error:
        raise DefinitionError(f'Source "{source.name}": {" ".join(error.messages)}') from None
    open_backend(source)
    return source


def upstream_document(url: str, *, private_hosts: list[str]) -> Document:
    """Return the source that stands for a backend at an address: the one that is here, or a new one.

    Raises DefinitionError when it is no address.
    """
    address = addresses.parse(url)
    wanted = address.url.rstrip("/")
    for source in Source.objects.filter(kind=UPSTREAM_KIND):
        if (source.options or {}).get("url") == wanted:
            return source_document(source)
    options = {"url": wanted, "private_hosts": private_hosts}
    return {
        "name": _free_name(slugify(re.sub(r"[^A-Za-z0-9]+", "-", wanted.partition("://")[2]))[:90] or "upstream"),
        "kind": UPSTREAM_KIND,
        "description": f"Backend at {address.host}",
        "options": {key: value for key, value in options.items() if value},
    }


def _free_name(stem: str) -> str:
    taken = set(Source.objects.filter(name__startswith=stem).values_list("name", flat=True))
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    return next(name for name in names if name not in taken)
