"""The kinds of sources there are. A new kind registers its class here and appears in the admin by itself."""

from __future__ import annotations

from widgets_app.errors import DefinitionError
from widgets_app.sources.base import SourceBackend

_KINDS: dict[str, type[SourceBackend]] = {}


def register(backend: type[SourceBackend]) -> type[SourceBackend]:
    """Class decorator: make a kind of source known under its `kind`."""
    if backend.kind in _KINDS:
        raise ValueError(f"Source kind {backend.kind!r} is registered twice.")
    _KINDS[backend.kind] = backend
    return backend


def kinds() -> dict[str, type[SourceBackend]]:
    """Return every registered kind, in order of registration."""
    return dict(_KINDS)


def backend_class(kind: str) -> type[SourceBackend]:
    """Return the class of a kind; raises DefinitionError when there is none."""
    try:
        return _KINDS[kind]
    except KeyError:
        raise DefinitionError(
            f'There is no source kind "{kind}". Choose one of: {", ".join(sorted(_KINDS))}.'
        ) from None
