"""One examination under way: whom it is about, what it has learned so far, and how it asks."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from widgets_app.doctor.probe import Prober, Seen
from widgets_app.manifest.contract.endpoints import is_absolute
from widgets_app.sources.address import Address, parse

WORKSPACE = "https://pro.openbb.co"

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

    @property
    def has_credentials(self) -> bool:
        """Whether somebody gave a key of any kind."""
        return bool(self.target.headers or self.target.query)

    @property
    def asked_headers(self) -> str:
        """The header names that a preflight asks for, as browsers write them."""
        names = sorted({*(name.lower() for name in self.target.headers), "content-type"})
        return ",".join(names if self.target.headers else [*names, "x-api-key"])

    def address(self, endpoint: str, query: Mapping[str, str] | None = None) -> Address:
        """Return the address of an endpoint, as clients join it; raises DefinitionError where that is none."""
        url = endpoint if is_absolute(endpoint) else f"{self.base.url.rstrip('/')}/{endpoint.removeprefix('/')}"
        joined = urlencode(query or {})
        return parse(f"{url}{'&' if '?' in url else '?'}{joined}" if joined else url)

    def is_here(self, endpoint: str) -> bool:
        """Say whether an endpoint is one of this backend's, and not of another server."""
        return not is_absolute(endpoint) or self.address(endpoint).origin == self.base.origin

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
        """Ask as a page of Workspace does: with the key, and with the page's origin."""
        key = self.target if credentials else Target("")
        address = self.address(endpoint, {**key.query, **(query or {})})
        sent = {"Origin": self.target.origin, **key.headers, **(headers or {})}
        return self.prober.ask(address, method=method, headers=sent, body=body)

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
        return self.prober.ask(address, method="OPTIONS", headers=headers)

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


def is_private(host: str) -> bool:
    """Say whether an address is of this machine or of a network that is not the internet."""
    try:
        return is_loopback(host) or ipaddress.ip_address(host).is_private
    except ValueError:
        return host.endswith((".local", ".lan", ".internal", ".home.arpa")) or "." not in host
