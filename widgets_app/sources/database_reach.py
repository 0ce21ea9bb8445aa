"""Which databases a source may not reach: what is no database at all, and the one this backend keeps its own in."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from sqlalchemy import URL

from widgets_app.sources.address import HostNotListed, check_listed

OWN_DATABASE = "this is the database of this backend itself, or a file it keeps for itself. Name another one"
_NO_DATABASE = "There can be no database at this address. Check the address of the source."
# Where clouds tell machines their secrets; the other ones are link-local.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
_POSTGRESQL_PORT = 5432


def hosts_of(url: URL) -> list[str]:
    """Return the hosts that an address names; none where it means a socket of this machine or a file."""
    named = [url.query.get(key, ()) for key in ("host", "hostaddr")]
    given = [one for many in named for one in ([many] if isinstance(many, str) else many)]
    hosts = [host for one in (url.host or "", *given) for host in one.split(",")]
    return [host for host in hosts if host and not host.startswith("/")]


def check_hosts(url: URL) -> None:
    """Raise HostNotListed unless all hosts may be asked, as far as their names tell before they are asked."""
    for host in hosts_of(url):
        check_listed(host)
        for found in _addresses(host):
            check_address(found)


def check_address(text: str) -> None:
    """Raise HostNotListed for the address of something that is no database: link-local, or known to tell secrets."""
    found = ipaddress.ip_address(text.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or found
    if inner.is_link_local or inner in _METADATA:
        raise HostNotListed(_NO_DATABASE)


def check_file(path: str) -> None:
    """Raise ValueError for a file that isn't named whole, or that this backend keeps for itself."""
    if not os.path.isabs(path):
        raise ValueError("name the file with its whole path, after three slashes: sqlite:////srv/market.db")
    home, files = Path(settings.WIDGETS_HOME).resolve(), Path(settings.WIDGETS_FILES).resolve()
    real = Path(path).resolve()
    if (real.is_relative_to(home) and not real.is_relative_to(files)) or _is_own_file(path):
        raise ValueError(OWN_DATABASE)


def _is_own_file(path: str) -> bool:
    own = settings.DATABASES["default"]
    # A hard link has another path.
    with suppress(OSError):
        return own["ENGINE"].endswith("sqlite3") and Path(path).samefile(str(own["NAME"]))
    return False


def check_postgresql(raw: Any) -> None:
    """Raise HostNotListed for a connection that doesn't lead where it should, or to the database of this backend."""
    peer = _peer(raw.fileno())
    if peer:
        check_address(peer)
    own = settings.DATABASES["default"]
    if not own["ENGINE"].endswith("postgresql") or raw.info.dbname != own["NAME"]:
        return
    if raw.info.port == int(own["PORT"] or _POSTGRESQL_PORT) and _are_one(peer, own["HOST"]):
        raise HostNotListed(f"{OWN_DATABASE[0].upper()}{OWN_DATABASE[1:]}.")


def _are_one(peer: str, host: str) -> bool:
    found = _addresses(host) if host and not host.startswith("/") else [""]
    return bool(set(_plain([peer])) & set(_plain(found)))


def _plain(addresses: Iterable[str]) -> Iterator[str]:
    """Give each address in the one form that is compared; all that lead to this machine are the same."""
    for one in addresses:
        found = ipaddress.ip_address(one.partition("%")[0] or "127.0.0.1")
        found = getattr(found, "ipv4_mapped", None) or found
        yield "here" if found.is_loopback or found.is_unspecified or _is_here(str(found)) else str(found)


def _is_here(text: str) -> bool:
    """Say whether an address is one of this machine's own: only those can be listened on."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.bind((text, 0))
    except OSError:
        return False
    return True


def _peer(number: int) -> str:
    """Return the address at the other end of a connection, nothing for a socket that is a file."""
    with socket.socket(fileno=os.dup(number)) as copy:
        name = copy.getpeername()
    return str(name[0]) if isinstance(name, tuple) else ""


def _addresses(host: str) -> list[str]:
    # A host that isn't known is an error of the driver's, in its own words.
    with suppress(OSError, UnicodeError):
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    return []
