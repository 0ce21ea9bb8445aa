"""The options of both servers for HTTPS, and what they say about it."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError

from project import certificates
from project.certificates import CertificateError, Pair

TRUST = """
This computer is now its own authority for certificates. Browsers have to be told once to trust it:

  {authority} ("{name}")

  macOS (Safari, Chrome, Brave, Excel)
    sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain "{authority}"
  Windows (Edge, Chrome, Brave, Excel), as administrator
    certutil -addstore -f ROOT "{authority}"
  Linux (Chrome, Chromium, Brave), after they have run once, with certutil from libnss3-tools or nss-tools
    for d in ~/.pki/nssdb ~/.local/share/pki/nssdb; do [ ! -d "$d" ] ||
      certutil -d "sql:$d" -A -t C,, -n "{name}" -i "{authority}"; done
  Debian and Ubuntu (curl and other programs)
    sudo cp "{authority}" /usr/local/share/ca-certificates/widgets-backend.crt && sudo update-ca-certificates
  Firefox, on every system
    Settings > Privacy & Security > View Certificates > Authorities > Import

Then start the browser, or Excel, again. How to undo it, and more: docs/https.md
"""


def authority_path() -> Path:
    """Return where this machine's own authority is, if there is one."""
    return Path(settings.WIDGETS_HOME) / certificates.FOLDER / certificates.AUTHORITY


def has_authority() -> bool:
    """Say whether there is one that this process can see."""
    try:
        return authority_path().is_file()
    except OSError:
        return False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what decides about HTTPS."""
    parser.add_argument(
        "--https", action="store_true", default=settings.HTTPS, help="serve HTTPS with a certificate made here"
    )
    parser.add_argument("--certfile", type=Path, help="serve HTTPS with this certificate (PEM), its chain behind it")
    parser.add_argument("--keyfile", type=Path, help="key of the certificate (PEM), if it is in a file of its own")


def pair_of(host: str, given: dict[str, Any]) -> Pair | None:
    """Return the certificate to serve with, None for plain HTTP. Raises CommandError in one line."""
    certfile, keyfile = given["certfile"], given["keyfile"]
    if keyfile and not certfile:
        raise CommandError("--keyfile needs --certfile: the certificate that the key belongs to.")
    if not certfile and not given["https"]:
        return None
    if not settings.HTTPS:
        # Cookies and PUBLIC_URL were read as for plain HTTP already.
        raise CommandError("Write the options --https and --certfile in full, or set HTTPS=1.")
    try:
        # Not resolved: a link to the latest certificate, as certbot keeps it, has to be followed again and again.
        return certificates.given_pair(certfile.absolute(), keyfile and keyfile.absolute()) if certfile else _own(host)
    except CertificateError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        folder = Path(settings.WIDGETS_HOME) / certificates.FOLDER
        raise CommandError(f"The certificate can't be kept in {folder}: {error.strerror}. Mend its rights.") from None


def _own(host: str) -> Pair:
    public = urlsplit(settings.PUBLIC_URL).hostname or ""
    names = certificates.names_of_machine(host, public, *settings.ALLOWED_HOSTS)
    return certificates.own_pair(Path(settings.WIDGETS_HOME), names)


def context_of(pair: Pair | None, host: str) -> Any:
    """Return what uvicorn makes its TLS from; a certificate of our own is renewed while the server runs."""
    if pair is None:
        return None
    return certificates.context_factory(pair, partial(_own, host) if pair.authority else None)


def about(pair: Pair) -> str:
    """Say what is served with, what does not fit to it, and how to have it trusted where that is still to do."""
    state = certificates.state_of(pair.certfile)
    end = f"{state.ends_at:%Y-%m-%d}"
    if pair.authority:
        lines = [f"Certificate until {end}, renewed in time. Browsers have to trust {pair.authority} (docs/https.md)."]
    else:
        lines = [f"Certificate {pair.certfile} until {end}.{' That is soon: renew it.' if state.ends_soon else ''}"]
    if not settings.PUBLIC_URL.startswith("https://"):
        lines.append(
            f"PUBLIC_URL is {settings.PUBLIC_URL}, though HTTPS is served: write https:// there, or leave it empty."
        )
    if pair.authority and pair.is_new:
        lines.append(how_to_trust(pair.authority))
    return "\n".join(lines)


def how_to_trust(authority: Path) -> str:
    """Say how each system and browser is told to trust an authority."""
    return TRUST.format(authority=authority, name=certificates.common_name(authority))
