"""Bundles between preview and import: kept in a private file for the one who brought them, for a day."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from widgets_app.errors import DefinitionError
from widgets_app.sealing import seal, unseal
from widgets_app.services.bundles.collecting import Named
from widgets_app.services.bundles.importing import Options

KEPT_SECONDS = 24 * 3600
GONE = "What was uploaded is not kept any more. Choose the files or the address again."

_FOLDER, _SUFFIX = "imports", ".import"
# As it is made below; anything else could be the way to another file.
_TOKEN = re.compile(r"[\w-]{32}", re.ASCII)
_TOKEN_BYTES = 24


@dataclass(frozen=True)
class Waiting:
    """Files, and where their data comes from; how they are imported is still open."""

    files: Sequence[Named]
    options: Options


def waiting_keep(waiting: Waiting, *, owner: int) -> str:
    """Keep files and options for a user; return the token that opens them. Raises DefinitionError if it can't be."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    path = _path(token)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(f"{seal(_head(waiting, owner))}\n".encode())
            file.writelines(content for _, content in waiting.files)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise DefinitionError(f"The files can't be kept in WIDGETS_HOME: {error.strerror}. Make room there.") from None
    return token


def waiting_open(token: str, *, owner: int) -> Waiting:
    """Return what this user has brought. Raises DefinitionError when it is gone, or somebody else's."""
    try:
        head, _, content = _path(token).read_bytes().partition(b"\n")
        found = unseal(head.decode())
    except (OSError, DefinitionError):
        raise DefinitionError(GONE) from None
    if found.get("owner") != owner:
        raise DefinitionError(GONE)
    files, start = [], 0
    for name, size in found["files"]:
        files.append((name, content[start : start + size]))
        start += size
    options = Options(upstream=found["upstream"], headers=found["headers"], private_hosts=tuple(found["private_hosts"]))
    return Waiting(files, options)


def waiting_forget(token: str) -> None:
    """Delete what was kept."""
    _path(token).unlink(missing_ok=True)


def waiting_tidy() -> None:
    """Delete what nobody has come back for."""
    oldest = time.time() - KEPT_SECONDS
    for path in _folder().glob(f"*{_SUFFIX}"):
        # Another process may be tidying too.
        if path.exists() and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _head(waiting: Waiting, owner: int) -> dict[str, Any]:
    return {
        "owner": owner,
        "upstream": waiting.options.upstream,
        "headers": dict(waiting.options.headers),
        "private_hosts": list(waiting.options.private_hosts),
        "files": [(name, len(content)) for name, content in waiting.files],
    }


def _folder() -> Path:
    return Path(settings.WIDGETS_HOME) / _FOLDER


def _path(token: str) -> Path:
    if not _TOKEN.fullmatch(token):
        raise DefinitionError(GONE)
    return _folder() / f"{token}{_SUFFIX}"
