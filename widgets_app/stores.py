"""Where results are kept: in this process's memory, bounded in bytes, or in a Redis that several processes share."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import orjson
from django.conf import settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.redis import RedisCache
from pydantic import TypeAdapter
from redis.exceptions import LockError, RedisError
from redis.lock import Lock


class Keepable(Protocol):
    """A result that can be kept: when it was made, in epoch seconds, and how many bytes it takes."""

    @property
    def made_at(self) -> float: ...

    @property
    def size(self) -> int: ...


T = TypeVar("T")

MB = 1024 * 1024
# What a kept entry weighs besides its bytes.
OVERHEAD = 512
# A larger result is kept by the process that made it, and not sent to Redis and back for each request.
LARGEST_IN_REDIS = 16 * MB
# After this a lock is free again whose holder has died. The living renew theirs three times as often.
LOCK_SECONDS = 10.0


class BoundedStore(Generic[T]):
    """The most recently used values, at most `limit` bytes of them. Thread-safe."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.used = 0
        self._items: OrderedDict[Any, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object) -> T | None:
        """Return a value and make it the most recent one."""
        with self._lock:
            item = self._items.get(key)
            if item is None:
                return None
            self._items.move_to_end(key)
            return item[0]

    def put(self, key: object, value: T, size: int) -> None:
        """Keep a value of `size` bytes; the least recently used ones go when there is no room.

        One that is larger than all the room there is stays away, instead of driving out everything.
        """
        with self._lock:
            self._drop(key)
            if size + OVERHEAD > self.limit:
                return
            self._items[key] = (value, size + OVERHEAD)
            self.used += size + OVERHEAD
            while self.used > self.limit:
                self._drop(next(iter(self._items)))

    def drop(self, key: object) -> bool:
        """Forget a value; say whether there was one."""
        with self._lock:
            return self._drop(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self.used = 0

    def _drop(self, key: object) -> bool:
        item = self._items.pop(key, None)
        if item is None:
            return False
        self.used -= item[1]
        return True


class MemoryCache(BaseCache):
    """Django's cache in this process's memory, bounded in bytes. Values must not be changed after they are set.

    Unlike Django's own, it counts bytes instead of entries, and does not pickle: a result may be 50 MB.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._store: BoundedStore[tuple[Any, float]] = BoundedStore(settings.WIDGETS_RESULT_CACHE_MB * MB)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """Return a value that has not run out."""
        made = self.make_and_validate_key(key, version=version)
        item = self._store.get(made)
        if item is None:
            return default
        value, until = item
        if until < time.time():
            self._store.drop(made)
            return default
        return value

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        """Keep a value for `timeout` seconds, None meaning until there is no room."""
        until = self.get_backend_timeout(timeout)
        size = size_of(value)
        made = self.make_and_validate_key(key, version=version)
        self._store.put(made, (value, float("inf") if until is None else until), size)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Keep a value unless there is one."""
        if self.get(key, version=version) is not None:
            return False
        self.set(key, value, timeout, version)
        return True

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Keep a value for another `timeout` seconds."""
        value = self.get(key, version=version)
        if value is None:
            return False
        self.set(key, value, timeout, version)
        return True

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Forget a value."""
        return self._store.drop(self.make_and_validate_key(key, version=version))

    def clear(self) -> None:
        """Forget everything."""
        self._store.clear()


def size_of(value: object) -> int:
    """Return how many bytes a value takes, roughly."""
    size: int | None = getattr(value, "size", None)
    return size or len(repr(value))


class _Kind(NamedTuple):
    type: type
    # The field that holds the bytes, if there is one.
    body: str
    adapter: TypeAdapter[Any]


class Plain:
    """How values are written for Redis: all that is small as a line of JSON, then the bytes as they are.

    Unlike pickled ones they can't run code where they are read.
    """

    kinds: ClassVar[dict[str, _Kind]] = {}

    @classmethod
    def register(cls, kind: type, *, body: str = "") -> None:
        """Let results of a dataclass be kept; `body` names the field with its bytes."""
        cls.kinds[kind.__name__] = _Kind(kind, body, TypeAdapter(kind))

    def dumps(self, value: Any) -> bytes | int:
        """Write a result, or a whole number."""
        if type(value) is int:
            return value
        name = type(value).__name__
        kind = self.kinds[name]
        small = {field: getattr(value, field) for field in kind.type.__dataclass_fields__ if field != kind.body}  # type: ignore[attr-defined]  # they are dataclasses
        return orjson.dumps({"kind": name, **small}) + b"\n" + (getattr(value, kind.body) if kind.body else b"")

    def loads(self, data: bytes) -> Any:
        """Read what was written; None for what another version wrote in another form."""
        with suppress(ValueError, KeyError, TypeError):
            if not data.startswith(b"{"):
                return int(data)
            end = data.index(b"\n")
            small = orjson.loads(data[:end])
            kind = self.kinds[small.pop("kind")]
            return kind.adapter.validate_python(small | ({kind.body: data[end + 1 :]} if kind.body else {}))
        return None


class RedisStore(RedisCache):
    """Django's cache in Redis, with locks; what is too large for it stays in this process's memory."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(location, params)
        self._large = MemoryCache("large", {})

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """Return a value that has not run out."""
        found = super().get(key, None, version)
        return found if found is not None else self._large.get(key, default, version)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        """Keep a value for `timeout` seconds."""
        if size_of(value) > LARGEST_IN_REDIS:
            self._large.set(key, value, timeout, version)
            super().delete(key, version)
        else:
            self._large.delete(key, version)
            super().set(key, value, timeout if timeout in (None, DEFAULT_TIMEOUT) else math.ceil(timeout), version)

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Forget a value."""
        return self._large.delete(key, version) | bool(super().delete(key, version))

    def clear(self) -> None:
        """Forget everything."""
        self._large.clear()
        super().clear()

    def lock(self, key: str) -> SharedLock:
        """Return a lock that one process at a time can take."""
        name = self.make_and_validate_key(f"lock:{key}")
        client = self._cache.get_client(name, write=True)
        return SharedLock(client.lock(name, timeout=LOCK_SECONDS, thread_local=False))


class SharedLock:
    """A lock in Redis: its token tells its holder, who renews it for as long as it lives. May raise RedisError."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def take(self) -> bool:
        """Take it if it is free; say whether it was."""
        taken = bool(self._lock.acquire(blocking=False))
        if taken:
            _renewals.add(self._lock)
        return taken

    def is_taken(self) -> bool:
        """Say whether anybody holds it."""
        return bool(self._lock.locked())

    def let_go(self) -> None:
        """Renew it no longer, whether or not Redis can be told."""
        _renewals.drop(self._lock)

    def release(self) -> None:
        """Give it back, if it is still ours."""
        self.let_go()
        with suppress(LockError):
            self._lock.release()


class _Renewals:
    """Renews the locks that this process holds, in a thread of its own."""

    def __init__(self) -> None:
        self._held: set[Lock] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, lock: Lock) -> None:
        with self._changed:
            self._held.add(lock)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="lock-renewals", daemon=True)
                self._thread.start()

    def drop(self, lock: Lock) -> None:
        with self._changed:
            self._held.discard(lock)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._held)
            time.sleep(LOCK_SECONDS / 3)
            for lock in list(self._held):
                # Lost, or out of reach: the work goes on, at worst twice.
                with suppress(RedisError, OSError):
                    lock.reacquire()


_renewals = _Renewals()
