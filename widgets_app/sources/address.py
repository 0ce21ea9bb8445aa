"""Addresses of other servers: how they are read, and which of them may be asked."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from django.conf import settings

from widgets_app.errors import DefinitionError, SourceFailed

PORTS = {"http": 80, "https": 443}
# What stands in a request as it is, so that nothing that was encoded once is encoded again.
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))

_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# Public IPv6 addresses are all in here; Python takes some outside of it, such as site-local ones, for global too.
_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Set aside for protocols, relays and examples; not all versions of Python know it.
_RESERVED = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("3fff::/20"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed http or https URL: `target` is its path and query as they are sent."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to stay the same for secrets to be sent along."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL again, without a fragment."""
        return f"{self.scheme}://{self.authority}{self.target}"

    def joined(self, location: str) -> Address:
        """Return where a redirect leads to; raises DefinitionError as `parse` does."""
        try:
            # Python takes line breaks out of what it joins.
            return parse(location if _CONTROL.search(location) else urljoin(self.url, location))
        except ValueError as error:
            raise DefinitionError(str(error)) from None


def parse(url: str) -> Address:
    """Read a URL. Raises DefinitionError in one line that doesn't repeat it, as it may hold secrets."""
    if _CONTROL.search(url):
        raise DefinitionError("The address has line breaks or control characters in it. Remove them.")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise DefinitionError("The address has a port or a host that can't be. Check it.") from None
    if parts.scheme not in PORTS:
        raise DefinitionError("The address has to start with http:// or https://.")
    if "@" in parts.netloc:
        raise DefinitionError("The address has a user name or a password in it. Leave it out and use a header.")
    query = f"?{parts.query}" if parts.query else ""
    target = quote((parts.path or "/") + query, safe=PRINTABLE, errors="replace")
    return Address(parts.scheme, _host(parts), PORTS[parts.scheme] if port is None else port, target)


def host_of(name: str) -> str:
    """Return a host's name or IP address in the one form that is compared; raises DefinitionError for anything else."""
    name = name.strip().removeprefix("[").removesuffix("]").lower()
    try:
        if ":" in name and "%" not in name:
            return str(ipaddress.IPv6Address(name))
        name = name if name.isascii() else name.encode("idna").decode("ascii")
    except ValueError:
        name = ""
    if not _NAME.fullmatch(name):
        raise DefinitionError("A host is a name or an IP address alone, such as api.example.com or 10.0.0.5.")
    return name


def _host(parts: SplitResult) -> str:
    if not parts.hostname:
        raise DefinitionError("The address names no host. Write it as https://host/path.")
    return host_of(parts.hostname)


class HostNotListed(SourceFailed):
    """A host that this deployment may not ask."""


def check_listed(host: str) -> None:
    """Raise HostNotListed unless this deployment may ask the host."""
    listed: list[str] = settings.WIDGETS_OUTBOUND_HOSTS
    if listed and not any(_matches(host, pattern.lower()) for pattern in listed):
        raise HostNotListed(f'"{host}" is not among the hosts that may be asked. Add it to WIDGETS_OUTBOUND_HOSTS.')


def _matches(host: str, pattern: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def is_public(text: str) -> bool:
    """Say whether an IP address, and the IPv4 address inside it if there is one, is in the public network."""
    address = ipaddress.ip_address(text)
    if any(address in network for network in _RESERVED):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if (inner := _embedded(address)) is not None:
            return is_public(str(inner))
        return address in _UNICAST and address.is_global
    return address.is_global and not address.is_multicast


def is_public_host(host: str) -> bool:
    """Say whether a host is known, and all its addresses are in the public network."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(is_public(str(place[0])) for *_, place in found)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
