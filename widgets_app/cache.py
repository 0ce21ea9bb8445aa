"""Results kept for a while: bounded in bytes, and made once however many ask at the same time."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar, cast

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from redis.exceptions import RedisError


class Keepable(Protocol):
    """A result that can be kept: when it was made, in epoch seconds, and how many bytes it takes."""

    @property
    def made_at(self) -> float: ...

    @property
    def size(self) -> int: ...


T = TypeVar("T")
K = TypeVar("K", bound=Keepable | None)

logger = logging.getLogger(__name__)

MB = 1024 * 1024
# What a kept entry weighs besides its bytes.
OVERHEAD = 512


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
        """Keep a value of `size` bytes; the least recently used ones go when there is no room."""
        with self._lock:
            self._drop(key)
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
        size: int = getattr(value, "size", None) or len(repr(value))
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


# One for all threads: Django's own `cache` is another object in each, with connections and memory of its own.
results: BaseCache = caches.create_connection("default")

_running: dict[str, Future[Any]] = {}
_running_lock = threading.Lock()


def shared(key: str, *, seconds: float, make: Callable[[], K]) -> K:
    """Return the kept result of `key`, or make it and keep it for `seconds`; 0 makes it every time.

    Callers who ask for the same result while it is being made wait for it, and share its error too. `make` may
    return None for a result that can't be shared: all of them get None, and nothing is kept.
    """
    if seconds <= 0:
        return make()
    if (kept := _kept(key, seconds)) is not None:
        return cast(K, kept)
    with _running_lock:
        running = _running.get(key)
        mine: Future[K] = running or _running.setdefault(key, Future())
    if running is not None:
        return cast(K, running.result())
    return _make(key, mine, seconds=seconds, make=make)


def kept_in_memory(key: str, *, seconds: float) -> Any:
    """Return the kept result of `key` if this process has it, without waiting for anything."""
    return _kept(key, seconds) if isinstance(results, MemoryCache) else None


def _kept(key: str, seconds: float) -> Any:
    kept: Any = _guarded(lambda: results.get(key))
    # Another widget on the same query may have kept it for longer than this one calls fresh.
    return kept if kept is not None and time.time() - kept.made_at < seconds else None


def _make(key: str, future: Future[K], *, seconds: float, make: Callable[[], K]) -> K:
    try:
        made = make()
        if made is not None:
            _guarded(lambda: results.set(key, made, seconds))
    except BaseException as error:
        future.set_exception(error)
        raise
    else:
        future.set_result(made)
        return made
    finally:
        with _running_lock:
            del _running[key]


def _guarded(work: Callable[[], T]) -> T | None:
    """Do without the cache server when it is away: slower, but right."""
    try:
        return work()
    except (RedisError, OSError) as error:
        logger.warning("The result cache can't be used: %s", error)
        return None
