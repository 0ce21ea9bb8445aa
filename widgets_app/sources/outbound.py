"""The one way out: HTTP requests to hosts that may be asked, at addresses that were checked, within a time limit."""

from __future__ import annotations

import re
import select
import socket
import ssl
import threading
import weakref
import zlib
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import httpcore2
from django.conf import settings

from widgets_app.errors import BadRequest, DefinitionError, SourceFailed
from widgets_app.sources import address as addresses
from widgets_app.sources.address import Address
from widgets_app.sources.base import Call, Pieces
from widgets_app.sources.limits import Deadline, Slots, run_streamed

# How many redirects are followed, unless a source says otherwise.
MAX_REDIRECTS = 3
# Idle connections are kept for so long and no more of them than so many. Many servers close theirs after 5 s.
KEPT_SECONDS = 4.0
KEPT_CONNECTIONS = 32

# How much of an answer is kept to tell HTTP from something else.
FIRST_BYTES = 5

REDIRECTS = frozenset({301, 302, 303, 307, 308})
FOLLOWING = frozenset({"GET", "HEAD"})
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

# Headers that the connection itself needs, or that decide in which form an answer comes.
OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u0100-\U0010ffff]")

BAD_TYPE = "The request can't be sent on: its type has characters that no header may have. Send another type."
TOO_MUCH = "That is too large to be read. Have it send less."
# zlib's number for "gzip or deflate, whichever it is".
_ANY_WINDOW = 47


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to send; Host, Accept and User-Agent are added. The `secret` headers go to the first origin only."""

    method: str
    address: Address
    headers: Mapping[str, str]
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Iterable[bytes] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document that was read whole; `url` is where it was found, after redirects."""

    status: int
    content_type: str
    content: bytes = field(repr=False)
    url: str


class Line:
    """The connection that one exchange uses now: when it has to be done, and how another thread ends it."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False
        self.begin()

    def begin(self) -> None:
        """Forget the attempt before."""
        self.is_new = self.has_received = self.has_ended = False
        self.alert = ""  # why TLS says that the other side ended the exchange
        self.first = b""  # the beginning of the answer, by which something else than HTTP is known

    def use(self, connection: socket.socket) -> None:
        """Take note of the connection in use, and give its next step the time that is left."""
        with self._lock:
            self._socket = connection
            if self._cut:
                raise SourceFailed(f"{self.deadline.what} was stopped. Ask again.")
        connection.settimeout(self.deadline.left())

    def leave(self) -> None:
        """Let go of the connection, before another exchange takes it."""
        with self._lock:
            self._socket = None

    def cut(self) -> None:
        """End the exchange from another thread, even while it waits."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                with suppress(OSError):
                    # Not the method of a TLS connection, which takes its state away while another thread reads.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class Reply:
    """The head of an answer, and its body as it comes. Close it in any case."""

    def __init__(self, response: httpcore2.Response, address: Address, line: Line) -> None:
        self.status = response.status
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
        self.address = address
        self._response = response
        self._line = line

    def header(self, name: str) -> str:
        """Return the value of a header, named in lower case; empty without it."""
        return next((value for known, value in self.headers if known.lower() == name), "")

    @property
    def length(self) -> int | None:
        """The size of the body if the head tells it."""
        text = self.header("content-length")
        return int(text) if text.isdecimal() else None

    def pieces(self) -> Generator[bytes]:
        """Yield the body unchanged and close at its end; raises SourceFailed when it breaks off."""
        with closing(self):
            try:
                yield from self._response.iter_stream()
            except (httpcore2.NetworkError, httpcore2.ProtocolError):
                raise _broken(self._line, self.address.host) from None

    def close(self) -> None:
        """Keep the connection if the body was read to its end, close it if not."""
        self._line.leave()
        self._response.close()


class Unreachable(SourceFailed):
    """A server that can't be asked, or whose answer is none; `code` names the reason, `detail` what TLS says."""

    code = "unreachable"

    def __init__(self, message: str, *, code: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.code = code or self.code
        self.detail = detail


class PrivateHost(Unreachable):
    """A host of a private network, which nobody has named as one that may be asked."""

    code = "private"


class Redirected(SourceFailed):
    """A redirect that is not followed."""


class Outbound:
    """Connections to other servers, kept for a while. Thread-safe; they close when nobody holds this any more.

    Hosts in the own network are reached only if `private_hosts` names them as the URL does.
    """

    def __init__(self, private_hosts: Collection[str] = (), *, tls: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls or _tls(),
            # Who sends holds a slot, so slots are what bounds connections.
            max_connections=None,
            max_keepalive_connections=KEPT_CONNECTIONS,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=_Network(frozenset(addresses.host_of(name) for name in private_hosts)),
        )
        self._close = weakref.finalize(self, self._pool.close)

    def close(self) -> None:
        """Close all connections now."""
        self._close()

    def send(self, outgoing: Outgoing, line: Line, *, redirects: int = MAX_REDIRECTS) -> Reply:
        """Send a request, follow so many redirects, and return the answer once its head is there.

        Raises SourceFailed and SourceTimeout in one line that names the host, and whatever the body raises.
        """
        first = outgoing.address.host
        for _ in range(redirects + 1):
            reply = self.exchange(outgoing, line)
            if reply.status not in REDIRECTS or not reply.header("location"):
                return reply
            reply.close()
            outgoing = _redirected(outgoing, reply)
        raise Redirected(f'"{first}" redirects more than {redirects} times. Use the address that it leads to.')

    def exchange(self, outgoing: Outgoing, line: Line) -> Reply:
        """Send a request once, as `send` does, but return a redirect as it comes."""
        addresses.check_listed(outgoing.address.host)
        repeatable = outgoing.method in IDEMPOTENT and outgoing.body is None
        while True:
            line.begin()
            try:
                response = self._pool.handle_request(_request(outgoing, line))
            except httpcore2.LocalProtocolError:
                raise BadRequest(BAD_TYPE) from None
            except (httpcore2.NetworkError, httpcore2.ProtocolError):
                # A kept connection may have been closed by the server just now: that is no fault yet.
                if line.is_new or line.has_received or not repeatable:
                    raise _broken(line, outgoing.address.host) from None
            else:
                return Reply(response, outgoing.address, line)


def fetch(
    url: str, *, headers: Mapping[str, str], private_hosts: Collection[str] = (), seconds: float, limit: int
) -> Fetched:
    """Read one document whole, of at most `limit` bytes, whatever its status is.

    Raises SourceFailed and SourceTimeout in one line that says what to do.
    """
    try:
        check_headers(headers)
        address, outbound = addresses.parse(url), Outbound(private_hosts)
    except DefinitionError as error:
        raise SourceFailed(str(error)) from error
    what = f'"{address.host}"'
    line = Line(Deadline(seconds, what, "Try again later."))
    outgoing = Outgoing("GET", address, {"Accept-Encoding": "gzip"}, headers)

    def work() -> tuple[Reply, Generator[bytes]]:
        reply = outbound.send(outgoing, line)
        return reply, reply.pieces()

    call = Call(on_cancel=[line.cut])
    try:
        reply, pieces = run_streamed(Slots("fetch", 1), work, deadline=line.deadline, call=call, what=what)
        with closing(pieces):
            content = b"".join(decoded(pieces, reply, limit))
    finally:
        # Closing a connection does not wake a thread that reads from it; cutting it does.
        line.cut()
        outbound.close()
    return Fetched(reply.status, reply.header("content-type"), content, reply.address.url)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise DefinitionError, which tells no value, unless these headers can be sent with every request."""
    seen: set[str] = set()
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise DefinitionError(f'"{name}" can\'t be the name of a header. Use letters, digits and hyphens.')
        if name.lower() in OURS:
            raise DefinitionError(f"The header {name} is set for each request. Leave it out.")
        if name.lower() in seen:
            raise DefinitionError(f"The header {name} is there twice. Leave one.")
        if UNSENDABLE.search(value):
            raise DefinitionError(f"The value of the header {name} has line breaks or other unusual characters.")
        seen.add(name.lower())


def too_large(host: str, limit: int, advice: str) -> Unreachable:
    """Return the error of an answer that is larger than it may be."""
    return Unreachable(f'"{host}" sends more than {limit / 1024**2:.3g} MB. {advice}', code="too-large")


def bounded(pieces: Pieces, host: str, limit: int, advice: str) -> Generator[bytes]:
    """Yield the pieces; raises SourceFailed in place of what goes beyond so many bytes."""
    size = 0
    with closing(pieces):
        for piece in pieces:
            if (size := size + len(piece)) > limit:
                raise too_large(host, limit, advice)
            yield piece


def _request(outgoing: Outgoing, line: Line) -> httpcore2.Request:
    address = outgoing.address
    headers = {"host": address.authority, "accept": "*/*", "user-agent": f"widgets-backend/{settings.VERSION}"}
    for name, value in (*outgoing.headers.items(), *outgoing.secret.items()):
        headers[name.lower()] = value.strip()
    return httpcore2.Request(
        outgoing.method,
        httpcore2.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target),
        headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()],
        content=outgoing.body,
        # The pool hands these on, unread, to each step that may wait.
        extensions={"timeout": {"connect": line, "read": line, "write": line}},
    )


def _redirected(outgoing: Outgoing, reply: Reply) -> Outgoing:
    host = outgoing.address.host
    if outgoing.method not in FOLLOWING or outgoing.body is not None:
        message = f'"{host}" redirects a {outgoing.method}, which is not followed. Use the address that it leads to.'
        raise Redirected(message)
    try:
        target = outgoing.address.joined(reply.header("location"))
    except DefinitionError as error:
        raise Redirected(f'"{host}" redirects to an address that can\'t be used. {error}') from None
    secret = outgoing.secret if target.origin == outgoing.address.origin else {}
    return replace(outgoing, address=target, secret=secret)


def _broken(line: Line, host: str) -> SourceFailed:
    if line.has_ended or not line.has_received:
        message = f'"{host}" closed the connection before its answer was complete. Look into its log.'
        return Unreachable(message, code="closed", detail=line.alert)
    message = f'"{host}" sent something that is not HTTP. Check scheme and port of its address.'
    return Unreachable(message, code="not-http")


def decoded(pieces: Pieces, reply: Reply, limit: int) -> Generator[bytes]:
    """Return the content in the clear. Neither what comes in nor what goes out exceeds the limit."""
    host, encoding = reply.address.host, reply.header("content-encoding").strip().lower()
    received = bounded(pieces, host, limit, TOO_MUCH)
    if encoding in ("", "identity"):
        return received
    if encoding not in ("gzip", "x-gzip", "deflate"):
        message = f'"{host}" sent an encoding that wasn\'t asked for. Have it send gzip, or no encoding.'
        raise Unreachable(message, code="encoding")
    return bounded(_inflated(received, host, limit), host, limit, TOO_MUCH)


def _inflated(pieces: Pieces, host: str, step: int) -> Generator[bytes]:
    """Yield decompressed pieces of at most one byte more than `step`."""
    decoder = zlib.decompressobj(_ANY_WINDOW)
    try:
        for piece in pieces:
            while piece:
                if decoder.eof:
                    decoder = zlib.decompressobj(_ANY_WINDOW)
                yield decoder.decompress(piece, step + 1)
                piece = decoder.unconsumed_tail or decoder.unused_data
    except zlib.error:
        message = f'"{host}" sent damaged data: it says gzip but isn\'t. Look into its log.'
        raise Unreachable(message, code="encoding") from None
    if not decoder.eof:
        message = f'"{host}" sent compressed data that breaks off. Look into its log.'
        raise Unreachable(message, code="encoding")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Network(httpcore2.NetworkBackend):
    """Opens connections to addresses that were checked, and to no others."""

    def __init__(self, private_hosts: frozenset[str]) -> None:
        self._private_hosts = private_hosts

    def connect_tcp(
        self, host: str, port: int, timeout: Any = None, local_address: Any = None, socket_options: Any = None
    ) -> httpcore2.NetworkStream:
        """Connect to one of the host's addresses, trying one after the other."""
        line: Line = timeout
        line.is_new = True
        found = self._addresses(host, port)
        fault: OSError | None = None
        for number, (family, place) in enumerate(found):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                line.use(connection)
                # One that doesn't answer must leave time for the others.
                connection.settimeout(line.deadline.left() / (len(found) - number))
                connection.connect(place)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except BaseException as error:
                connection.close()
                if not isinstance(error, OSError):
                    raise
                fault = error
            else:
                return _Stream(connection)
        raise _unreachable(host, port, fault, line)

    def _addresses(self, host: str, port: int) -> Sequence[tuple[int, Any]]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreachable(f'The host "{host}" is unknown. Check the address.', code="unknown-host") from None
        usable = [
            (family, place)
            for family, _, _, _, place in found
            if host in self._private_hosts or addresses.is_public(str(place[0]))
        ]
        if not usable:
            raise PrivateHost(
                f'"{host}" is in a private network. Name it in the private hosts of the source to allow that.'
            )
        return usable


def _unreachable(host: str, port: int, fault: OSError | None, line: Line) -> Exception:
    if isinstance(fault, TimeoutError):
        return line.deadline.exceeded()
    if isinstance(fault, ConnectionRefusedError):
        message = f'"{host}" refuses connections on port {port}. Check the port, and that it is running.'
        return Unreachable(message, code="refused")
    reason = (fault.strerror if fault else None) or "no connection"
    return Unreachable(f'"{host}" can\'t be reached on port {port}: {reason}. Check the address and the network.')


class _Stream(httpcore2.NetworkStream):
    """One connection; what the pool takes for time limits is the Line of the exchange."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        """Wait for some bytes; none at the end."""
        line: Line = timeout
        line.use(self._socket)
        try:
            received = self._socket.recv(max_bytes)
        except TimeoutError:
            raise line.deadline.exceeded() from None
        except OSError as error:
            line.has_ended = True
            line.alert = getattr(error, "reason", None) or ""
            raise httpcore2.ReadError from error
        line.has_received |= bool(received)
        line.first += received[: FIRST_BYTES - len(line.first)]
        line.has_ended |= not received
        return received

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        """Send all bytes."""
        line: Line = timeout
        rest = memoryview(buffer)
        try:
            while rest:
                line.use(self._socket)
                rest = rest[self._socket.send(rest) :]
        except TimeoutError:
            raise line.deadline.exceeded() from None
        except OSError as error:
            raise httpcore2.WriteError from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore2.NetworkStream:
        """Shake hands, and go on encrypted."""
        line: Line = timeout
        try:
            self._socket = ssl_context.wrap_socket(
                self._socket, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            line.use(self._socket)
            self._socket.do_handshake()
        except BaseException as error:
            self.close()
            raise _untrusted(error, server_hostname or "", line) from None
        return self

    def get_extra_info(self, info: str) -> Any:
        """Tell what the pool asks: the TLS state, and whether something waits to be read."""
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        return self._is_readable() if info == "is_readable" else None

    def _is_readable(self) -> bool:
        if self._socket.fileno() < 0:
            return True
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(0))


def _untrusted(error: BaseException, host: str, line: Line) -> BaseException:
    if isinstance(error, TimeoutError):
        return line.deadline.exceeded()
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        message = f'The certificate of "{host}" is not trusted: {reason}. Have it replaced, or its issuer known.'
        return Unreachable(message, code="certificate", detail=str(error.verify_code))
    if isinstance(error, OSError):
        message = f'"{host}" could not agree on TLS. Check that its address starts with the right scheme.'
        return Unreachable(message, code="tls", detail=getattr(error, "reason", None) or "")
    return error
