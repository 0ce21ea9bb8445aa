"""Where libraries write that know files only."""

from __future__ import annotations

import io


class Sink(io.RawIOBase):
    """A file that keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """Say so."""
        return True

    def tell(self) -> int:
        """Return how many bytes were written in all."""
        return self._size

    def write(self, piece: object) -> int:
        """Keep a piece."""
        kept = bytes(piece)  # type: ignore[call-overload]  # anything that has bytes
        self._pieces.append(kept)
        self._size += len(kept)
        return len(kept)

    def taken(self) -> bytes:
        """Return what came since this was last asked."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
