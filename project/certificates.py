"""HTTPS: a local authority and a certificate of its own for this machine, or real ones, checked before they serve.

The folder `tls` of the state folder holds `authority.pem`, which browsers are told to trust, and two files that only
their owner can read: `authority-key.pem`, and `server.pem` with certificate and key, always in step.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import psutil
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.core.files import locks

FOLDER: Final = "tls"
AUTHORITY, AUTHORITY_KEY, SERVER = "authority.pem", "authority-key.pem", "server.pem"
ORGANISATION: Final = "Widgets backend (this computer)"
AUTHORITY_DAYS: Final = 3650
# Apple's systems refuse certificates that last longer than 398 days.
CERTIFICATE_DAYS: Final = 397
RENEW_DAYS: Final = 30
MOST_NAMES: Final = 100
# Somebody else's certificate is said to end soon from then on.
SOON_DAYS: Final = 21
# Clocks of other machines may be behind.
EARLIER: Final = timedelta(days=1)
# How often a running server looks whether its certificate was renewed, or no longer has every address of the machine.
LOOK_SECONDS = 60.0
# What a certificate may have for a name, the first label of which may stand for any.
NAME: Final = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
# How unusable files make themselves known.
BROKEN: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)

logger = logging.getLogger("project.certificates")

Name = x509.DNSName | x509.IPAddress
T = TypeVar("T")


class CertificateError(Exception):
    """A certificate or key that can't serve; the text says in one line what to do."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The files to serve with; `authority` is the one to trust, where this machine is its own authority."""

    certfile: Path
    keyfile: Path
    authority: Path | None = None
    is_new: bool = False


# ---- an authority of our own


def own_pair(home: Path, names: Iterable[str]) -> Pair:
    """Return a certificate of our own for these names and addresses, made or renewed if need be.

    Raises OSError where it can't be kept, and CertificateError where the clock can't be right.
    """
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = list(dict.fromkeys(found for name in names for found in _general_names(name)))
    with (folder / ".lock").open("w") as lock:
        # Servers that start at the same time make one authority, not two.
        locks.lock(lock, locks.LOCK_EX)
        try:
            _close_to_others(folder)
            if is_new := not _has_authority(folder):
                _make_authority(folder)
            covered = _covered(folder / SERVER)
            if not set(wanted) <= set(covered):
                # Another server of this folder may go by other names: they stay, or each would take the other's away.
                _make_certificate(folder, list(dict.fromkeys([*wanted, *covered]))[:MOST_NAMES])
        finally:
            locks.unlock(lock)
    return Pair(folder / SERVER, folder / SERVER, folder / AUTHORITY, is_new)


def names_of_machine(*more: str) -> list[str]:
    """Return every name and address under which this machine can be reached, loopback first, and `more`."""
    host = socket.gethostname() or "localhost"
    names = ["localhost", "127.0.0.1", "::1", host, f"{host.partition('.')[0]}.local"]
    for addresses in psutil.net_if_addrs().values():
        names += [one.address for one in addresses if one.family in (socket.AF_INET, socket.AF_INET6)]
    return [*names, *more]


def _general_names(name: str) -> Iterator[Name]:
    """Yield a name as certificates have it; two for .example.com, none for * and what can't be a name."""
    name = name.strip("[]").partition("%")[0].rstrip(".").lower()
    if name.startswith("."):
        yield from _general_names(name[1:])
        name = f"*{name}"
    with suppress(ValueError):
        address = ipaddress.ip_address(name)
        if not (address.is_unspecified or address.is_multicast):
            yield x509.IPAddress(address)
        return
    with suppress(UnicodeError):
        name = name.encode("idna").decode("ascii")
        if NAME.fullmatch(name):
            yield x509.DNSName(name)


def _close_to_others(folder: Path) -> None:
    """Take from others what they may not have: a copied folder may have come with more rights."""
    for path in (folder, folder / AUTHORITY_KEY, folder / SERVER):
        if path.exists() and path.stat().st_mode & 0o077:
            path.chmod(path.stat().st_mode & 0o700)


def _has_authority(folder: Path) -> bool:
    """Say whether there is an authority that will last.

    One that browsers may trust already is not given up because the clock is wrong: raises CertificateError.
    """
    try:
        authority = _certificate(folder / AUTHORITY)
        fits = authority.public_key() == _key(folder / AUTHORITY_KEY).public_key()
    except (FileNotFoundError, *BROKEN):
        return False
    begins = authority.not_valid_before_utc
    if fits and begins > datetime.now(UTC):
        message = f"The authority in {folder} is valid from {begins:%Y-%m-%d} only. Set this computer's clock right"
        raise CertificateError(f"{message}; if it is, delete the folder.")
    return fits and _days_left(authority) > CERTIFICATE_DAYS


def _make_authority(folder: Path) -> None:
    key, host = ec.generate_private_key(ec.SECP256R1()), socket.gethostname().encode("ascii", "replace").decode()
    name = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
        # Two authorities of one name are a puzzle for whoever wants to remove the older one.
        x509.NameAttribute(NameOID.COMMON_NAME, f"Widgets backend on {host[:30]} {secrets.token_hex(3)}"),
    ])  # fmt: skip
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    authority = (
        _begun(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / AUTHORITY_KEY, _pem_of(key), 0o600)
    _write(folder / AUTHORITY, authority.public_bytes(serialization.Encoding.PEM), 0o644)


def _make_certificate(folder: Path, names: list[Name]) -> None:
    authority, authority_key = _certificate(folder / AUTHORITY), _key(folder / AUTHORITY_KEY)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
        x509.NameAttribute(NameOID.COMMON_NAME, "localhost"),
    ])  # fmt: skip
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    # Its type allows kinds of keys that sign nothing; the authority's is the one that signs below.
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())  # type: ignore[arg-type]
    certificate = (
        _begun(subject, authority.subject, key.public_key(), CERTIFICATE_DAYS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (certificate, authority))
    _write(folder / SERVER, _pem_of(key) + chain, 0o600)


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now - EARLIER + timedelta(days=days))
    )


def _covered(path: Path) -> list[Name]:
    """Return the names of a certificate of ours that is from today's authority and lasts a while; none otherwise."""
    try:
        certificate = _certificate(path)
        certificate.verify_directly_issued_by(_certificate(path.parent / AUTHORITY))
        covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [name for name in covered if isinstance(name, x509.DNSName | x509.IPAddress)]
        fits = certificate.public_key() == _key(path).public_key()
    except Exception:
        # Whatever is wrong with it, a new one is made.
        return []
    has_begun = certificate.not_valid_before_utc <= datetime.now(UTC)
    return names if fits and has_begun and _days_left(certificate) > RENEW_DAYS else []


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file at once, never readable by more people than `mode` says."""
    waiting = path.with_name(f".{path.name}.new")
    waiting.unlink(missing_ok=True)
    with open(os.open(waiting, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        file.write(content)
    os.replace(waiting, path)


# ---- what is in a file


def _certificate(path: Path) -> x509.Certificate:
    """Return the first certificate of a file. Raises OSError and ValueError."""
    return x509.load_pem_x509_certificates(path.read_bytes())[0]


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key of ours")
    return key


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _days_left(certificate: x509.Certificate) -> float:
    return (certificate.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def common_name(path: Path) -> str:
    """Return what systems and browsers call a certificate. Raises CertificateError."""
    return str(_read(path, "certificate", _certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@dataclass(frozen=True, slots=True)
class State:
    """What people want to know of a certificate: the names that it is for, and when it ends."""

    names: tuple[str, ...]
    ends_at: datetime

    @property
    def days_left(self) -> int:
        """Whole days until it ends; negative afterwards."""
        return (self.ends_at - datetime.now(UTC)).days

    @property
    def ends_soon(self) -> bool:
        """Whether it is time to renew it."""
        return self.days_left < SOON_DAYS


def state_of(path: Path) -> State:
    """Return the state of a certificate. Raises CertificateError."""
    certificate = _read(path, "certificate", _certificate)
    names: tuple[str, ...] = ()
    with suppress(x509.ExtensionNotFound):
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(name.value) for name in found)
    return State(names, certificate.not_valid_after_utc)


# ---- certificates of others


def given_pair(certfile: Path, keyfile: Path | None = None) -> Pair:
    """Return somebody's own certificate and key. Raises CertificateError unless they can serve now."""
    certificate = _read(certfile, "certificate", _certificate)
    public = _read(certfile, "certificate", _public_key)
    key = _read(keyfile or certfile, "key", _any_key, "Convert it." if keyfile else "Name its file with --keyfile.")
    begins, ends, now = certificate.not_valid_before_utc, certificate.not_valid_after_utc, datetime.now(UTC)
    if ends <= now:
        raise CertificateError(f"The certificate in {certfile} ran out on {ends:%Y-%m-%d}. Renew it, then start again.")
    if begins > now:
        begin = f"{begins:%Y-%m-%d %H:%M} UTC"
        raise CertificateError(f"The certificate in {certfile} is valid from {begin} only. Check the clock.")
    if key.public_key() != public:
        message = f"The key in {keyfile or certfile} does not belong to the first certificate in {certfile}."
        raise CertificateError(f"{message} Give the key it was made with; a chain stands behind it.")
    pair = Pair(certfile, keyfile or certfile)
    try:
        _load(pair)
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        raise CertificateError(f"{certfile} and {pair.keyfile} can't serve: {reason}. Make them anew.") from None
    return pair


def _public_key(path: Path) -> object:
    return _certificate(path).public_key()


def _any_key(path: Path) -> PrivateKeyTypes:
    return serialization.load_pem_private_key(path.read_bytes(), None)


def _read(path: Path, what: str, read: Callable[[Path], T], otherwise: str = "Convert it.") -> T:
    try:
        return read(path)
    except OSError as error:
        raise CertificateError(f"The {what} {path} can't be read: {error.strerror}. Check path and rights.") from None
    except TypeError:
        unlock = f"openssl pkey -in {path} -out unlocked.pem"
        raise CertificateError(f"The key {path} is locked with a password. Unlock a copy: {unlock}") from None
    except BROKEN:
        wanted = "BEGIN CERTIFICATE" if what == "certificate" else "BEGIN PRIVATE KEY"
        message = f"{path} holds no {what} in PEM form: a text with {wanted} in it. {otherwise}"
        raise CertificateError(message) from None


# ---- serving


def context_factory(pair: Pair, renew: Callable[[], Pair] | None = None) -> Callable[..., ssl.SSLContext]:
    """Return what makes the context of a server, once in each of its processes."""
    return partial(_context, pair, renew, LOOK_SECONDS)


def _context(pair: Pair, renew: Callable[[], Pair] | None, every: float, *_: object) -> ssl.SSLContext:
    return Renewed(pair, renew, every).context


def _load(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(pair.certfile, pair.keyfile)
    return context


class Renewed:
    """Gives each new connection the latest certificate; those that are open keep theirs."""

    def __init__(self, pair: Pair, renew: Callable[[], Pair] | None, every: float) -> None:
        self._pair, self._renew, self._every = pair, renew, every
        self._stamp, self._fault = _stamp(pair), ""
        self.context = self._latest = _load(pair)
        # A context that is in use is not changed: a certificate whose key is not there yet would break it.
        self.context.sni_callback = self._choose
        threading.Thread(target=self._watch, name="certificate", daemon=True).start()

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._latest

    def _watch(self) -> None:
        while not _ended.wait(self._every):
            try:
                self._look()
                self._fault = ""
            except Exception as error:
                # A watcher that ended would let the certificate run out.
                if self._fault != str(error):
                    logger.error("The certificate before serves on: %s", error)
                self._fault = str(error)

    def _look(self) -> None:
        if self._renew is not None and self._renew().is_new:
            logger.warning("There is a new authority, which browsers have to trust: %s", self._pair.authority)
        if (stamp := _stamp(self._pair)) != self._stamp:
            given_pair(self._pair.certfile, self._pair.keyfile)
            self._latest, self._stamp = _load(self._pair), stamp
            logger.info("The certificate in %s was renewed.", self._pair.certfile)


# Set by nobody who serves: waiting for it is a sleep that ends with the process.
_ended = threading.Event()


def _stamp(pair: Pair) -> tuple[int, int]:
    return pair.certfile.stat().st_mtime_ns, pair.keyfile.stat().st_mtime_ns
