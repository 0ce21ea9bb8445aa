"""What a shape is: the class that turns a Frame into the body that one type of widget expects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import orjson
from pydantic import BaseModel, ConfigDict

from widgets_app.errors import SourceFailed
from widgets_app.sources.frame import Frame

JSON = "application/json"
# A page gets no part in the admin, whose origin it shares, when somebody opens its address.
SANDBOX = ("Content-Security-Policy", "sandbox allow-scripts allow-forms allow-popups allow-downloads")
NO_VALUE = "\N{EN DASH}"  # stands for null where a client needs a text


class ShapeOptions(BaseModel):
    """How one widget's data is shown; a subclass per shape gives the admin form, the validation and the docs.

    Each field has a `title` and a `description` that teaches with an example. Every field has a default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Ask:
    """What the request says about the form of the answer."""

    params: Mapping[str, Any] = field(default_factory=dict)
    theme: Literal["dark", "light"] = "dark"
    raw: bool = False
    data_key: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """A finished body, its content type, and the headers that it needs besides."""

    content: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def json_body(content: bytes, data_key: str) -> Body:
    """Put a JSON document, raw rows too, where the widget's `dataKey`, dotted or not, has the client look for it."""
    keys = [orjson.dumps(key) for key in data_key.split(".") if key]
    opening = b"".join(b"{" + key + b":" for key in keys)
    return Body(opening + content + b"}" * len(keys))


def size_as_json(value: object, what: str) -> int:
    """Return how many bytes an option takes as JSON; ValueError for `what` can't be sent, though JSON can say it."""
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError:
        raise ValueError(
            f"The {what} holds what can't be sent: an integer beyond 64 bits, half a character or more than 250 lists "
            "and objects inside each other. Write such a number as text, and take the rest out."
        ) from None


def readable(column: str) -> str:
    """Turn a column's name into a label: `market_cap` becomes `Market cap`."""
    words = column.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def check_columns(frame: Frame, names: Iterable[str]) -> None:
    """Raise SourceFailed for a column that the data lacks; no names and data without columns pass."""
    known = [column.name for column in frame.columns]
    for name in names:
        if known and name and name not in known:
            raise SourceFailed(
                f'The widget shows the column "{name}", but its data has: {", ".join(known)}. '
                "Correct the column in the widget's options or in the query."
            )


class Shape(ABC):
    """The body of one type of widget, or of a family of types."""

    types: ClassVar[tuple[str, ...]]
    # Whether the rows pass through as they are, so that a body costs next to nothing to make.
    passes_rows: ClassVar[bool] = False
    # Whether a client may have the rows themselves, as data or with raw=true, and so export them.
    shows_rows: ClassVar[bool] = False
    Options: ClassVar[type[ShapeOptions]] = ShapeOptions

    def needs_rows(self, options: ShapeOptions) -> bool:
        """Say whether the widget must have a query; text with a fixed body does without."""
        return True

    def fit(self, frame: Frame, options: ShapeOptions) -> Iterable[str]:
        """Return the columns whose values are drawn as numbers, for options that suit the columns of the frame.

        Raises SourceFailed in one line for options that don't. Publishing asks too, with a frame without rows.
        """
        return ()

    @abstractmethod
    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the body; zero rows and nulls give a useful body, never an error.

        Raises BadRequest or SourceFailed in one line when columns named by the options are not in the frame.
        """
