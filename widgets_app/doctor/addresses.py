"""What the address itself says, before anything is asked."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from widgets_app.doctor.visit import Target, is_loopback, is_private
from widgets_app.errors import DefinitionError
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import error, info, warning
from widgets_app.sources.address import Address, parse
from widgets_app.sources.outbound import check_headers

FILES = ("widgets.json", "apps.json", "agents.json", "templates.json")
ANY = ("0.0.0.0", "::")  # noqa: S104  compared, not bound
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def read(target: Target, found: list[Finding]) -> Address | None:
    """Return the address to start from, and add what is to be said about it; None where there is nothing to ask."""
    try:
        check_headers(target.headers)
    except DefinitionError as fault:
        message = f"{fault} Browsers refuse to send it, and so does this."
        found.append(error("key-unsendable", "key", message, fix="Copy the key again, without spaces or line breaks."))
        return None
    try:
        _check_readable(target.url.strip())
        address = parse(_mended(target.url.strip(), found))
    except DefinitionError as fault:
        message = f"{fault} Workspace can't connect to it."
        fix = "Write it like http://127.0.0.1:7779 or https://widgets.example.com."
        found.append(error("url-invalid", "url", message, fix=fix))
        return None
    found.extend(_about(address))
    return address


def _check_readable(url: str) -> None:
    """Raise DefinitionError for what can't be taken apart; the parser itself passes over line breaks."""
    try:
        urlsplit(url)
    except ValueError:
        raise DefinitionError("The address has a host that can't be.") from None
    if not url.isprintable() or " " in url:
        raise DefinitionError("The address has blanks, line breaks or control characters in it.")


def _mended(url: str, found: list[Finding]) -> str:
    """Return the address without what doesn't belong there."""
    if not _SCHEME.match(url) and url and not url.startswith(("/", "mailto:", "javascript:")):
        message = "The address does not say whether it is http or https."
        found.append(
            error("url-scheme", "url", message, fix=f"Write http://{url}, or https:// if it has a certificate.")
        )
        url = f"http://{url}"
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        message = "The address has a ? or # in it, and Workspace would put the names of its files behind that."
        fix = "Take it off; a key that belongs into the query is added to the connection as a query parameter."
        found.append(error("url-query", "url", message, fix=fix))
    path = parts.path
    if named := next((name for name in FILES if path.endswith(f"/{name}")), None):
        path = path.removesuffix(named)
        message = f"The address ends with {named}. Workspace adds that itself, and would ask for {named}/widgets.json."
        found.append(error("url-file", "url", message, fix="Take the name of the file off."))
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _about(address: Address) -> list[Finding]:
    if address.host in ANY:
        message = f"{address.host} is where a server listens, not where it is: some browsers don't go there."
        return [warning("url-any-host", "url", message, fix=f"Write {address.scheme}://127.0.0.1:{address.port}.")]
    if address.scheme == "http" and not is_loopback(address.host):
        message = (
            "Workspace is an HTTPS page, and browsers block its requests to plain http:// anywhere but on the same "
            "computer (mixed content)."
        )
        fix = "Serve it over HTTPS, for example: manage.py serve --https, or a reverse proxy with a certificate."
        return [error("mixed-content", "url", message, fix=fix)]
    notes = []
    if address.scheme == "http":
        message = "Chrome, Edge and Firefox reach http:// on the same computer; Safari, Brave and Excel do not."
        notes.append(info("http-on-loopback", "url", message, fix="Serve it over HTTPS where those are used."))
    if is_private(address.host):
        message = (
            "The address is on this computer or in a local network: Chrome and Edge ask whether the page may go there."
        )
        fix = 'Choose "Allow" when the browser asks, or allow local network access in the settings of the site.'
        notes.append(info("local-network", "url", message, fix=fix))
    return notes
