"""Where bundles come from: files, folders, archives, and backends that are running."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from widgets_app.errors import DefinitionError
from widgets_app.manifest import parsing
from widgets_app.services.bundles.bundle import AGENTS, APPS, BACKEND, WIDGETS, Bundle, Files, named_kind
from widgets_app.sources import address as addresses
from widgets_app.sources import outbound

# In a folder, or at a backend: each file under its name, or under an older one.
NAMES = ((WIDGETS,), (APPS, "templates.json"), (AGENTS, "copilots.json"), (BACKEND,))
FETCH_SECONDS = 30.0
# How archives begin, the empty one too, and what reading a damaged or locked one raises.
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06")
DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, OSError, RuntimeError,
    ValueError,
)  # fmt: skip

Named = tuple[str, bytes]


def from_files(files: Iterable[Named]) -> Bundle:
    """Return the bundle of files, each a name and its bytes; a zip archive stands for what is in it."""
    found = Files()
    for name, content in files:
        for inner, inner_content in _unpacked(name, content):
            found.add(inner, parsing.parse(inner_content, name=inner))
    return found.bundle()


def from_inputs(inputs: Iterable[str], *, headers: Mapping[str, str], private_hosts: frozenset[str]) -> Bundle:
    """Return the bundle of paths and of addresses of running backends, which are asked with the headers.

    Raises DefinitionError with the place of what can't be used; RequestError when a backend can't be read.
    """
    return from_files(
        file
        for text in inputs
        for file in (fetched(text, headers, private_hosts) if is_address(text) else _read(Path(text)))
    )


def fetched(address: str, headers: Mapping[str, str], private_hosts: frozenset[str]) -> Iterator[Named]:
    """Read the manifests of a running backend, or the one that the address itself names.

    Raises DefinitionError and RequestError when it can't be read; a path on this machine is no address.
    """
    addresses.parse(address)
    if urlsplit(address).path.endswith(".json"):
        content = _fetch(address, headers, private_hosts)
        if content is None:
            raise DefinitionError(f"{host_of(address)} has nothing at this address. Check the path.")
        yield urlsplit(address).path.rsplit("/", 1)[-1], content
        return
    base = address.rstrip("/")
    for name in (WIDGETS, APPS, AGENTS):
        content = _fetch(f"{base}/{name}", headers, private_hosts)
        if content is not None:
            yield name, content
        elif name == WIDGETS:
            raise DefinitionError(f"{host_of(address)} has no {WIDGETS} there. Give the address Workspace connects to.")


def is_address(text: str) -> bool:
    """Say whether this is the address of a backend, not a path."""
    return text.lower().startswith(("http://", "https://"))


def host_of(address: str) -> str:
    """Return the host that an address names, empty when it is no address."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _read(path: Path) -> Iterator[Named]:
    if path.is_dir():
        yield from _read_folder(path)
    elif path.is_file():
        parsing.check_size(path.stat().st_size, name=path.name)
        yield path.name, path.read_bytes()
    else:
        raise DefinitionError(f"There is no file or folder {path}.")


def _read_folder(folder: Path) -> Iterator[Named]:
    there = [next((name for name in names if (folder / name).is_file()), None) for names in NAMES]
    if not any(there):
        raise DefinitionError(f"The folder {folder} has none of {WIDGETS}, {APPS}, {AGENTS} and {BACKEND}.")
    for name in filter(None, there):
        yield from _read(folder / name)


def _unpacked(name: str, content: bytes) -> Iterator[Named]:
    if not content.startswith(ARCHIVES):
        yield name, content
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from _members(name, archive)
    except DefinitionError:
        raise
    except DAMAGED as error:
        raise DefinitionError(
            f"{name}: The archive can't be read: {error}. Pack it again, without a password."
        ) from None


def _members(name: str, archive: zipfile.ZipFile) -> Iterator[Named]:
    """Yield the manifests of an archive; a project has other JSON files too."""
    wanted = [info for info in archive.infolist() if _is_manifest(info.filename)]
    if not wanted:
        raise DefinitionError(f"The archive {name} has none of {WIDGETS}, {APPS}, {AGENTS} and {BACKEND}.")
    left = parsing.MAX_BYTES
    for info in wanted:
        with archive.open(info) as file:
            # Whatever size the archive says it has.
            content = file.read(left + 1)
        if len(content) > left:
            limit = f"{parsing.MAX_BYTES / 1024**2:.3g} MB"
            raise DefinitionError(f"{name}: The files in it have more than {limit}, which is the limit. Split it.")
        left -= len(content)
        yield info.filename, content


def _is_manifest(path: str) -> bool:
    # What macOS puts beside each file has its name.
    return path.lower().endswith(".json") and named_kind(path) is not None and "__MACOSX/" not in path


def _fetch(url: str, headers: Mapping[str, str], private_hosts: frozenset[str]) -> bytes | None:
    """Return the bytes of a document, None where there is none."""
    found = outbound.fetch(
        url, headers=headers, private_hosts=private_hosts, seconds=FETCH_SECONDS, limit=parsing.MAX_BYTES
    )
    if found.status in (404, 405):
        return None
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    if found.status in (401, 403):
        raise DefinitionError(f"{host_of(url)} wants a key for {name} (status {found.status}). Give its header.")
    if found.status != 200:
        raise DefinitionError(f"{host_of(url)} answered {found.status} for {name} instead of 200. Look at its log.")
    return found.content
