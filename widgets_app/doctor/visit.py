"""One examination under way: whom it is about, what it has learned so far, and how it asks."""

from __future__ import annotations

import ipaddress
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from widgets_app.doctor.probe import Prober, Seen
from widgets_app.errors import DefinitionError
from widgets_app.manifest.contract.endpoints import is_absolute
from widgets_app.sources.address import Address, parse

WORKSPACE = "https://pro.openbb.co"
# A key that opens nothing.
WRONG = "wrong-key-of-the-doctor"

T = TypeVar("T")
Progress = Callable[[str, int, int], None]


class Stop(Exception):
    """What was found makes everything after it pointless."""


@dataclass(frozen=True, slots=True)
class Target:
    """The backend to examine, as somebody would enter it in Workspace, and the page that would call it.

    `headers` and `query` are the credentials, sent with every request but those that try to go without.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    origin: str = WORKSPACE
    send_forms: bool = True


@dataclass
class Visit:
    """What is known of a backend by now; `base` is the address that everything is joined to."""

    target: Target
    prober: Prober
    base: Address
    progress: Progress
    manifest: Seen = field(default_factory=lambda: Seen(""))
    widgets: Mapping[str, Any] = field(default_factory=dict)
    apps: Sequence[Any] = ()
    agents: Mapping[str, Any] = field(default_factory=dict)
    checked: dict[str, int] = field(default_factory=dict)
    reading: threading.Lock = field(default_factory=threading.Lock)

    @property
    def has_credentials(self) -> bool:
        """Whether somebody gave a key of any kind."""
        return bool(self.target.headers or self.target.query)

    @property
    def asked_headers(self) -> str:
        """The header names that a preflight asks for, as browsers write them."""
        return ",".join(sorted({*(name.lower() for name in self.target.headers), "content-type"}))

    def address(self, endpoint: str, query: Mapping[str, str] | None = None) -> Address:
        """Return the address of an endpoint, as clients join it; raises DefinitionError where that is none."""
        url = endpoint if is_absolute(endpoint) else f"{self.base.url.rstrip('/')}/{endpoint.removeprefix('/')}"
        # A WebSocket begins as a request.
        url = re.sub(r"^ws(?=s?://)", "http", url)
        joined = urlencode(query or {}, errors="replace")
        return parse(f"{url}{'&' if '?' in url else '?'}{joined}" if joined else url)

    def is_here(self, endpoint: str) -> bool:
        """Say whether an endpoint is one of this backend's, and not of another server."""
        try:
            return self.address(endpoint).origin == self.base.origin
        except DefinitionError:
            return False

    def ask(
        self,
        endpoint: str,
        *,
        query: Mapping[str, str] | None = None,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: object = None,
        credentials: bool = True,
    ) -> Seen:
        """Ask as a page of Workspace does: with the key, and with the page's origin. Raises Stop at the limits."""
        key = self.target if credentials else Target("")
        try:
            address = self.address(endpoint, {**key.query, **(query or {})})
        except DefinitionError as fault:
            return Seen(self.base.url, fault="unsendable", message=str(fault))
        sent = {"Origin": self.target.origin, **key.headers, **(headers or {})}
        return self._asked(self.prober.ask(address, method=method, headers=sent, body=body))

    def _asked(self, seen: Seen) -> Seen:
        if seen.fault == "spent":
            raise Stop
        return seen

    def preflight(self, endpoint: str, method: str, *, private_network: bool = False) -> Seen:
        """Ask whether the page may ask, as its browser does before it sends a header of its own."""
        headers = {
            "Origin": self.target.origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": self.asked_headers,
        }
        if private_network:
            headers["Access-Control-Request-Private-Network"] = "true"
        address = self.address(endpoint, self.target.query)
        return self._asked(self.prober.ask(address, method="OPTIONS", headers=headers))

    def each(self, what: str, work: Callable[[T], list[Any]], items: Sequence[T]) -> Iterable[Any]:
        """Do the same with several things, a few at a time, and yield what each gives, in their order."""
        with ThreadPoolExecutor(self.prober.limits.at_once) as pool:
            for number, found in enumerate(pool.map(work, items), start=1):
                self.progress(what, number, len(items))
                yield from found


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, in a way that browsers know too."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_near(host: str) -> bool:
    """Say whether a host can only be this computer or one of the own network, whatever a name server says."""
    try:
        return is_loopback(host) or ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def is_private(host: str) -> bool:
    """Say whether a host seems to be in a network that is not the internet, by its address or its name."""
    return is_near(host) or host.endswith((".local", ".lan", ".internal", ".home.arpa")) or "." not in host
