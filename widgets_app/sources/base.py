"""What a kind of source is: a class that prepares the text of a query once and runs it many times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict

from widgets_app.sources.frame import Frame, FrameColumn

if TYPE_CHECKING:
    from widgets_app.functions import Argument
    from widgets_app.sources.limits import Slots

# What placeholders begin with whose values the caller holds.
KEY_PREFIX = "key_"


def is_key_name(name: str) -> bool:
    """Say whether a name is kept for values that callers hold, however it is spelled."""
    return name.lower().startswith(KEY_PREFIX)


class SourceOptions(BaseModel):
    """The settings of one source; a subclass per kind gives the admin its form and its validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Names of the options that are kept encrypted and never shown again.
    secret: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take: `seconds` of time, `rows` of result, `bytes` of JSON."""

    seconds: float = 30.0
    rows: int = 100_000
    bytes: int = 64 * 1024 * 1024


@dataclass(slots=True)
class Call:
    """One run of a query on behalf of somebody.

    `caller` is who asks (name, user, groups, values) for functions that want to know. A backend appends to `on_cancel`
    what stops its work early; the runner calls all of it, possibly several times, when the time limit is reached or
    `abandoned` is done: nobody waits for the result any more.
    """

    caller: Mapping[str, Any] = field(default_factory=dict)
    on_cancel: list[Callable[[], None]] = field(default_factory=list)
    abandoned: Future[None] = field(default_factory=Future)

    def abandon(self) -> None:
        """Have the work stopped. May be called again, and does not wait."""
        with suppress(InvalidStateError):
            self.abandoned.set_result(None)


class PreparedQuery(ABC):
    """A query whose text was checked: `placeholders` are the names it takes, in order of first use.

    The value of one whose name starts with `key_` is a tuple of what the caller holds, or None for all rows.
    """

    placeholders: tuple[str, ...]
    # What is known of the placeholders, by their names.
    arguments: Mapping[str, Argument] = {}
    # The tables that the text names, sorted, as schema.table where it says so, or the request that it is; nothing where
    # that can't be told.
    tables: tuple[str, ...] = ()
    # Whether the result depends on who asks, and so may not be shared between callers.
    uses_caller: bool = False

    @property
    def waits(self) -> bool:
        """Whether the fingerprint has to be waited for, as where it is in a database."""
        return False

    @property
    def key_names(self) -> tuple[str, ...]:
        """The placeholders whose values the caller holds, such as key_desk; a request never gives them."""
        return tuple(name for name in self.placeholders if is_key_name(name))

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The placeholders whose values come with a request."""
        return tuple(name for name in self.placeholders if not is_key_name(name))

    @abstractmethod
    def run(self, values: Mapping[str, Any], limits: Limits, call: Call) -> Frame:
        """Run with exactly the values of `placeholders` and return at most `limits.rows` rows.

        Raises SourceFailed with one line for the caller; whatever else a driver raises is treated as that too.
        """

    def columns(self) -> tuple[FrameColumn, ...]:
        """Return the columns of the result without running it, or nothing where that can't be known."""
        return ()

    def fingerprint(self) -> str:
        """Return a text that changes when the data below has visibly changed, so that kept results are left."""
        return ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a test of a source looked at, in words; `advice` says what to do where it isn't well.

    A `warning` is something that works all the same. How long a step took is not told where `timed` is false.
    """

    name: str
    text: str
    state: Literal["good", "warning", "bad"] = "good"
    advice: str = ""
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Something that a query can read: `text` is the whole query that reads it, with names quoted.

    `path` is its name in parts where it has some; `is_called` says that reading it runs code, as a function does.
    """

    name: str
    text: str
    kind: str = "table"
    about: str = ""
    path: tuple[str, ...] = ()
    is_called: bool = False


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table, or a parameter of a function, with its type as the source writes it."""

    name: str
    type: str
    about: str = ""


def matching(tables: Iterable[Table], search: str) -> list[Table]:
    """Return the tables whose names hold a text, by name; the one that has exactly this name comes first."""
    found = [table for table in tables if search.lower() in table.name.lower()]
    return sorted(found, key=lambda table: (table.name != search, table.name.lower(), table.name))


class SourceBackend(ABC):
    """One kind of source, opened with the options of one Source record. Thread-safe."""

    kind: ClassVar[str]
    label: ClassVar[str]
    help: ClassVar[str]
    Options: ClassVar[type[SourceOptions]] = SourceOptions
    # What people are told where `tables` gives none.
    no_tables: ClassVar[str] = "There is nothing to read here yet."

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name = name
        self.options = options

    @classmethod
    def with_slots(cls, name: str, options: SourceOptions, *, slots: int) -> Self:
        """Return a source of this kind that runs at most so many queries at a time."""
        return cls(name, options)

    @abstractmethod
    def prepare(self, text: str) -> PreparedQuery:
        """Check the text and return it ready to run; raises DefinitionError in one line that says what to mend."""

    def check(self, limits: Limits, call: Call) -> Iterator[Step]:
        """Look at the source from the outside in, step by step; ends after the first step that is bad.

        May raise a RequestError in place of a step. Runs in a slot, as `tables`, `table_columns` and `sample` do.
        """
        yield Step("Settings", "They can be used.")

    def tables(self, search: str, limits: Limits, call: Call) -> Sequence[Table]:
        """Return what queries can read, by name: that whose name holds `search`, and first that which is named so.

        What comes after one more than `limits.rows` may be left out.
        """
        return []

    def table_columns(self, table: Table, limits: Limits, call: Call) -> Sequence[TableColumn]:
        """Return the columns of a table that `tables` gave."""
        return [TableColumn(column.name, column.type) for column in self.prepare(table.text).columns()]

    def sample(self, table: Table, limits: Limits, call: Call) -> Frame:
        """Return the first rows of a table that `tables` gave."""
        return self.prepare(table.text).run({}, limits, call)


@dataclass(frozen=True, slots=True)
class Forward:
    """A request to send on to an upstream.

    `path` is decoded and below the upstream's address, without a slash at its start; `query` is as it came in the
    address. `body` is read in another thread than the one that sends, once; `length` is None where it isn't known.
    """

    method: str
    path: str
    query: str = ""
    content_type: str = ""
    body: Iterable[bytes] | None = None
    length: int | None = None


class Pieces(Iterator[bytes], Protocol):
    """The pieces of a body as they come; close it to stop early."""

    def close(self) -> None:
        """Stop what makes the pieces. May be called at any time, and again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an upstream answered: the headers to pass on, and the body unchanged as it arrives.

    Iterating `chunks` may raise RequestError when the body can't be had to its end. Close it in any case: until its
    end or close() it holds a slot. `length` is the Content-Length, None where the upstream sent none.
    """

    status: int
    headers: list[tuple[str, str]]
    chunks: Pieces
    length: int | None = None

    def close(self) -> None:
        """Stop the exchange with the upstream."""
        self.chunks.close()


class UpstreamBackend(SourceBackend):
    """A kind of source that answers whole requests, with the data of widgets in their final form."""

    @abstractmethod
    def send(self, forward: Forward, *, limits: Limits, slots: Slots, call: Call, what: str) -> Answer:
        """Send a request on and return the answer as soon as its head is there; a status of 2xx only.

        Raises UpstreamRefused with the upstream's own status where the request is at fault, SourceFailed,
        SourceTimeout, BadRequest for a path that leaves the upstream's address or a body of another length than it
        says, and Busy, whose sentence `what` starts, as in 'Widget "prices"'.
        """
