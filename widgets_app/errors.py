"""What can go wrong, each with the status a client sees and one line that says what to do."""

from __future__ import annotations


def one_line(text: str, limit: int = 500) -> str:
    """Fold white space: the Excel add-in gives up on an error text with line breaks.

    Half a surrogate pair, which JSON may hold and no answer takes, becomes a question mark.
    """
    folded = " ".join(text.encode("utf-8", "replace").decode().split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


class DefinitionError(ValueError):
    """A definition (query text, option, parameter, layout) that can't be used; the text says how to mend it."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class RequestError(Exception):
    """A request that can't be answered. `status` is the HTTP status, `retry_after` the seconds to wait or None."""

    status = 500

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(one_line(message))
        self.retry_after = retry_after


class BadRequest(RequestError):
    """A parameter that is wrong or missing."""

    status = 400


class Unauthenticated(RequestError):
    """No key in the request."""

    status = 401


class Forbidden(RequestError):
    """A key that is wrong, expired, revoked, used from a network it may not be used from, or lacks a row value."""

    status = 403


class NotFound(RequestError):
    """Unknown, or hidden from this caller: the same answer for both."""

    status = 404


class MethodNotAllowed(RequestError):
    """The path exists but doesn't take this method."""

    status = 405


class OutOfDate(RequestError):
    """What is to be replaced is not what the request means."""

    status = 412


class TooLarge(RequestError):
    """A body, or a file, beyond a limit of size."""

    status = 413


class UpstreamRefused(RequestError):
    """An upstream found fault with the request itself: passed on with the status that it chose."""

    def __init__(self, message: str, *, status: int, retry_after: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class SourceFailed(RequestError):
    """The data source answered with an error or with something that can't be used."""

    status = 502


class Busy(RequestError):
    """Every slot is taken, or the definitions are not available yet."""

    status = 503


class Abandoned(RequestError):
    """Nobody waits for the answer any more, so nobody sees this."""

    status = 499


class SourceTimeout(RequestError):
    """The data source took longer than its time limit."""

    status = 504


class StorageFull(RequestError):
    """There is no room left to store what was sent."""

    status = 507
