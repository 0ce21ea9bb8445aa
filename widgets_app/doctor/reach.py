"""Is it there, and is it a backend? The certificate, the port, the prefix, redirects."""

from __future__ import annotations

import ssl
from collections.abc import Generator, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from project.tls import authority_path
from widgets_app.doctor.probe import Seen
from widgets_app.doctor.visit import WRONG, Stop, Visit, is_loopback, is_near
from widgets_app.errors import DefinitionError
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import error, info
from widgets_app.sources.address import PORTS as PORTS_OF
from widgets_app.sources.address import Address

WIDGETS = "widgets.json"
MAX_REDIRECTS = 5
# Names that backends give to a key in the query.
QUERY_NAMES = ("api_key", "apikey", "key", "token")
# Where backends usually listen: this one, openbb-api, and the ports of the common examples.
PORTS = (7779, 6900, 8000, 5050, 8080, 7777)
SIGN_IN = ("login", "signin", "sign-in", "auth", "oauth", "sso", "accounts")
# What OpenSSL's verification says, as codes.
CERTIFICATES = {
    "9": ("certificate-not-yet", "It is not valid yet: its time begins in the future."),
    "10": ("certificate-expired", "It has expired."),
    "18": ("certificate-self-signed", "It is signed by itself, so nobody vouches for it."),
    "19": ("certificate-issuer", "Its chain ends at an authority that is not trusted here."),
    "20": ("certificate-issuer", "Its issuer is not known here, or a certificate between is missing."),
    "21": ("certificate-issuer", "Its issuer is not known here, or a certificate between is missing."),
    "62": ("certificate-name", "It is for another name than the one in the address."),
    "64": ("certificate-name", "It is for another address than the one that is asked."),
}
CERTIFICATE_FIXES = {
    "certificate-not-yet": "Check the clock of the server, or wait until it begins.",
    "certificate-expired": "Renew it. This backend renews its own when it starts with --https.",
    "certificate-self-signed": "Trust it on every computer that uses it, or take one from an authority.",
    "certificate-issuer": "Trust the authority on every computer that uses it, or send the whole chain.",
    "certificate-name": "Use the name that it is for, or have one made for this name.",
}
# What TLS says where a server wants to see a certificate of the client.
CLIENT_CERTIFICATE = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "HANDSHAKE_FAILURE", "CERTIFICATE_UNKNOWN")
# Findings on the way to an answer, and the answer.
Answered = Generator[Finding, None, Seen]
PLAIN_HTTP = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_MESSAGE")


def check(visit: Visit) -> Iterator[Finding]:
    """Find the list of widgets; raises Stop where there is none."""
    seen = _ask(visit)
    if seen.fault == "certificate":
        yield from _certificate(visit, seen)
        seen = _ask(visit)
    if seen.fault:
        seen = yield from _unreachable(visit, seen)
    if seen.is_redirect:
        seen = yield from _redirects(visit, seen)
    if seen.status in (404, 405):
        seen = yield from _elsewhere(visit, seen)
    visit.manifest = seen
    yield from _slash(visit)
    yield from _refused(visit, seen)


def _ask(visit: Visit) -> Seen:
    return visit.ask(WIDGETS)


def _slash(visit: Visit) -> Iterator[Finding]:
    """See what a slash at the end of the address does, which some clients may keep."""
    if not visit.target.url.rstrip().endswith("/"):
        return
    base = visit.base.url.rstrip("/")
    if visit.ask(f"{base}//{WIDGETS}").status != visit.manifest.status:
        message = "The address ends with a slash. A client that keeps it asks with two slashes, and finds nothing here."
        yield info("url-slash", "url", message, fix=f"Write {base} without the slash.")


# ---- certificates


def _certificate(visit: Visit, seen: Seen) -> Iterator[Finding]:
    """Say what is wrong with the certificate, and go on without it where the other side is near."""
    if (trusting := _trusting_own()) is not None:
        visit.prober.trust(trusting)
        seen = _ask(visit)
        if seen.fault != "certificate":
            message = "The certificate is from this backend's own authority, which browsers don't know by themselves."
            fix = "Trust the authority on every computer that uses it; docs/https.md says how."
            yield info("certificate-own-authority", "certificate", message, fix=fix)
            return
    code, reason = CERTIFICATES.get(seen.detail, ("certificate-issuer", "It can't be trusted."))
    message = f"{reason} Browsers refuse to connect, without a word in Workspace."
    yield error(code, "certificate", message, fix=CERTIFICATE_FIXES[code])
    if not is_near(visit.base.host):
        # A key is not sent to whoever answers there.
        raise Stop
    visit.prober.trust(_untrusting())


def _trusting_own() -> ssl.SSLContext | None:
    """Return what trusts this machine's own authority too; nothing where there is none that can be read."""
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(authority_path())
    except OSError:
        return None
    return context


def _untrusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# ---- no answer


def _unreachable(visit: Visit, seen: Seen) -> Answered:
    """Say why there is no answer, and go on where there is one in the other scheme."""
    if _speaks_otherwise(visit.base.scheme, seen):
        answered = yield from _in_other_scheme(visit)
        if answered is not None:
            return answered
    yield _no_answer(visit.base, seen)
    yield from _other_ports(visit, seen)
    raise Stop


def _speaks_otherwise(scheme: str, seen: Seen) -> bool:
    if scheme == "https":
        return seen.fault == "tls" and seen.detail in PLAIN_HTTP
    return seen.fault in ("closed", "not-http")


def _in_other_scheme(visit: Visit) -> Generator[Finding, None, Seen | None]:
    before = visit.base
    other = "http" if before.scheme == "https" else "https"
    visit.base = replace(before, scheme=other)
    # A key that was given for https is not sent in clear.
    seen = visit.ask(WIDGETS, credentials=other == "https")
    if seen.fault not in ("", "certificate"):
        visit.base = before
        return None
    message = f"The server speaks {other} on port {before.port}, but the address says {before.scheme}."
    yield error("url-wrong-scheme", "url", message, fix=f"Write {visit.base.url.rstrip('/')}")
    if other == "http" and not is_near(before.host):
        raise Stop
    if seen.fault:
        yield from _certificate(visit, seen)
    seen = _ask(visit)
    return None if seen.fault else seen


def _no_answer(base: Address, seen: Seen) -> Finding:
    if seen.fault in ("closed", "tls") and seen.detail.endswith(CLIENT_CERTIFICATE):
        message = (
            f'"{base.host}" ends the connection while it is being secured. It probably wants to see a certificate of '
            "the browser, which Workspace's users hardly have, or knows old versions of TLS only."
        )
        return error("client-certificate", "url", message, fix="Take the demand off, and use keys instead.")
    code = CODES.get(seen.fault, "unreachable")
    return error(code, "url", f"{seen.message} Workspace can't connect.", fix=FIXES.get(code, FIXES["unreachable"]))


CODES = {
    "unknown-host": "host-unknown",
    "refused": "port-closed",
    "timeout": "no-answer",
    "closed": "connection-closed",
    "not-http": "not-http",
    "tls": "tls-failed",
    "certificate": "certificate-issuer",
    "too-large": "answer-too-large",
    "encoding": "answer-broken",
    "not-listed": "host-not-listed",
    "unsendable": "key-unsendable",
}
FIXES = {
    "host-unknown": "Look for a mistake in the name; a name of a private network needs its VPN or name server.",
    "port-closed": "Start the backend, and compare the port with the one that it tells when it starts.",
    "no-answer": "See whether it is running and not stuck, and whether a firewall lets this port through.",
    "connection-closed": "Read the log of the backend: it gave up in the middle of the answer.",
    "not-http": "Something else listens there. Compare host and port with what the backend tells when it starts.",
    "tls-failed": "See that it serves HTTPS with TLS 1.2 or newer; write http:// if it does not.",
    "answer-too-large": "See what is at this address: a list of widgets has a few megabytes at most.",
    "answer-broken": "See what the backend, or a proxy in front of it, does to its answers.",
    "host-not-listed": "Add it to WIDGETS_OUTBOUND_HOSTS of this server, or examine it from another computer.",
    "unreachable": "Check address, network and firewall.",
}


def _other_ports(visit: Visit, seen: Seen) -> Iterator[Finding]:
    """Look at the ports where backends usually listen, on this computer only."""
    if seen.fault != "refused" or not is_loopback(visit.base.host):
        return
    before = visit.base
    for port in PORTS:
        visit.base = replace(before, port=port, scheme="http")
        if port != before.port and _is_backend(visit.ask(WIDGETS, credentials=False)):
            message = f"Nothing listens on port {before.port}, but a backend answers on port {port}."
            yield info("other-port", "url", message, fix=f"Write {visit.base.url.rstrip('/')} if it is yours.")
    visit.base = before


def _is_backend(seen: Seen) -> bool:
    """Say whether this may be a list of widgets, or its door."""
    return not seen.fault and seen.kind == "application/json" and seen.status in (200, 401, 403)


# ---- answers from elsewhere


def _redirects(visit: Visit, seen: Seen) -> Answered:
    first, hops = visit.base, 0
    while seen.is_redirect and hops < MAX_REDIRECTS:
        hops += 1
        location = seen.headers["location"]
        if _is_sign_in(location, visit.base):
            message = f"Asked for {WIDGETS}, it sends people to a page to sign in, which no data connection can do."
            fix = "Have it answer 401 instead, and let requests with a key through without a session."
            yield error("sign-in-page", WIDGETS, message, fix=fix)
            raise Stop
        try:
            target = visit.address(seen.url).joined(location)
        except DefinitionError as fault:
            yield error("redirect-broken", WIDGETS, f"It redirects to nowhere: {fault}", fix="Mend the redirect.")
            raise Stop from None
        visit.base = replace(target, target=target.target.partition("?")[0].removesuffix(WIDGETS).rstrip("/") or "/")
        seen = yield from _redirected(visit, first, target)
    if seen.is_redirect:
        message = f"It redirects more than {MAX_REDIRECTS} times, so browsers give up."
        yield error("redirect-loop", WIDGETS, message, fix="Mend the redirects: each leads to the next.")
        raise Stop
    there = visit.base.url.rstrip("/")
    message = f"{first.url.rstrip('/')} redirects to {there}, and browsers follow no redirect of a preflight."
    yield error("redirect", "url", message, fix=f"Write {there} in Workspace.")
    return seen


def _redirected(visit: Visit, first: Address, target: Address) -> Answered:
    # A key is for the address that it was given for, and for nobody else.
    is_same = target.origin == first.origin or (
        target.host == first.host and (first.scheme, target.scheme) == ("http", "https")
        and (is_near(first.host) or (first.port, target.port) == (PORTS_OF["http"], PORTS_OF["https"]))
    )  # fmt: skip
    if not is_same and visit.has_credentials:
        message = f"It redirects to another server, {target.host}, and keys are not sent there."
        yield error("redirect-elsewhere", "url", message, fix=f"Examine {target.scheme}://{target.authority} itself.")
        raise Stop
    if target.host != first.host:
        yield info("redirect-host", "url", f"It redirects to {target.host}.", fix="Write that address in Workspace.")
        raise Stop
    seen = visit.ask(target.url)
    if seen.fault == "certificate":
        yield from _certificate(visit, seen)
        seen = visit.ask(target.url)
    if seen.fault:
        yield _no_answer(target, seen)
        raise Stop
    return seen


def _is_sign_in(location: str, base: Address) -> bool:
    path = urlsplit(location).path.lower()
    words = set(path.split("/")) - set(base.target.lower().split("/"))
    return not path.endswith(WIDGETS) and any(word in SIGN_IN or "login" in word for word in words)


def _elsewhere(visit: Visit, seen: Seen) -> Answered:
    """Look for the list of widgets above the address: the prefix may be wrong."""
    before = visit.base
    path = before.target.rstrip("/")
    while path:
        path = path.rpartition("/")[0]
        visit.base = replace(before, target=path or "/")
        found = _ask(visit)
        if _is_backend(found):
            message = f"There is no {WIDGETS} below {before.url.rstrip('/')}, but there is one above it."
            yield error("url-prefix", "url", message, fix=f"Write {visit.base.url.rstrip('/')} in Workspace.")
            return found
    visit.base = before
    message = f"It answers {seen.status} for {WIDGETS}, so it is no backend for Workspace, or not under this address."
    fix = "Check the path of the address; a backend behind a prefix has its lists below that prefix."
    yield error("widgets-missing", WIDGETS, message, fix=fix)
    raise Stop


def _refused(visit: Visit, seen: Seen) -> Iterator[Finding]:
    """Say why there is no list of widgets although somebody answers."""
    if seen.status in (401, 403):
        yield _key_needed(visit, seen)
        raise Stop
    if seen.status != 200:
        message = f"It answers {seen.status} for {WIDGETS} instead of 200, so Workspace can't connect."
        yield error("widgets-failed", WIDGETS, message, fix="Read the log of the backend.")
        raise Stop


def _key_needed(visit: Visit, seen: Seen) -> Finding:
    if not visit.has_credentials:
        message = f"It answers {seen.status}: it wants a key, and none was given."
        return error("key-needed", "key", message, fix="Give the key, for example --key KEY or --header 'NAME: VALUE'.")
    if (place := _other_place(visit)) is not None:
        message = f"It refuses the key in the {'header' if visit.target.headers else 'query'}; it belongs {place}."
        return error("key-place", "key", message, fix=f"Send the key {place}.")
    message = f"It answers {seen.status}: the key is not the right one, or its name or place is not."
    return error("key-refused", "key", message, fix="Copy the key again, and check the name of its header.")


def _other_place(visit: Visit) -> str | None:
    """Return where the same key is taken, if it is. It is tried in headers only: addresses end up in logs."""
    for value in (*visit.target.headers.values(), *visit.target.query.values()):
        key = value.rpartition(" ")[2]
        for name, sent in (("X-API-KEY", key), ("Authorization", f"Bearer {key}")):
            if visit.ask(WIDGETS, headers={name: sent}, credentials=False).status == 200:
                return f"in the header {name}{', as Bearer and the key' if name == 'Authorization' else ''}"
    without = visit.ask(WIDGETS, credentials=False)
    for name in QUERY_NAMES if visit.target.headers else ():
        if visit.ask(WIDGETS, query={name: WRONG}, credentials=False).status not in (without.status, 200):
            return f'in the query as "{name}", where it looks for one'
    return None
