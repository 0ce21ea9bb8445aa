"""Results shared: kept for a while, made once however many ask, given up when nobody waits for them any more."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from copy import copy
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from redis.exceptions import RedisError

from widgets_app.errors import Abandoned, Busy, RequestError, SourceFailed, SourceTimeout
from widgets_app.sources.base import Call
from widgets_app.sources.frame import Frame
from widgets_app.stores import MB, BoundedStore, Keepable, MemoryCache, Plain, RedisStore, SharedLock

T = TypeVar("T")
K = TypeVar("K", bound=Keepable | None)

logger = logging.getLogger(__name__)

# For how long the failure of a source is told again before the source is asked again.
FAILURE_SECONDS = 2.0
# Results that are made anew behind the requests at the same time; those beyond wait for the next request.
REFRESHES_AT_ONCE = 8
# How long a run goes on when nobody waits for it any more: who reloads a page leaves, and is back at once.
GRACE_SECONDS = 1.0
# How long nobody asks a cache server that failed.
AWAY_SECONDS = 5.0
# How often a process looks whether another one has made a result: at first, and after a while.
LOOK_SECONDS, LOOK_SECONDS_MOST = 0.02, 0.2

Plain.register(Frame, body="json")


class Leaving(Protocol):
    """Knows when nobody waits for an answer any more."""

    def tell(self, call: Callable[[], object]) -> None:
        """Have `call` called then."""


class Failure(NamedTuple):
    """How a source failed, and until when that is told again."""

    error: RequestError
    until: float


class Run(Generic[K]):
    """One making of a result, and those who wait for it."""

    def __init__(self, call: Call | None) -> None:
        self.call = call
        self.outcome: Future[K] = Future()
        self.waiting: set[object] = set()
        self.begun = False

    @property
    def can_stop(self) -> bool:
        """Whether it can be ended early: work that can't had better be kept than done again beside itself."""
        return self.call is not None and (not self.begun or bool(self.call.on_cancel))

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.call is not None and self.call.abandoned.done()


# One for all threads: Django's own `cache` is another object in each, with connections and memory of its own.
results: BaseCache = caches.create_connection("results")

_running: dict[str, Run[Any]] = {}
_lock = threading.Lock()
_failures: BoundedStore[Failure] = BoundedStore(MB)
_refreshes = threading.BoundedSemaphore(REFRESHES_AT_ONCE)
_away_until = 0.0


def clear() -> None:
    """Forget all results and failures."""
    global _away_until
    results.clear()
    _failures.clear()
    _away_until = 0.0


def stale_seconds(seconds: float) -> float:
    """Return for how long a result that was fresh for `seconds` is still given while a new one is made."""
    return min(seconds, settings.WIDGETS_STALE_SECONDS)


def shared(
    key: str,
    *,
    seconds: float,
    make: Callable[[], K],
    force: bool = False,
    patience: float = 30.0,
    call: Call | None = None,
    departure: Leaving | None = None,
    renew: Callable[[], K] | None = None,
) -> K:
    """Return the kept result of `key`, or make it and keep it for `seconds`; 0 makes it every time.

    For a while longer it is still given, and made anew behind that, with `renew` where `make` won't do. `force` has
    it made anew at once, unless it has only just been made. Callers who ask for the same result while it is being
    made wait for it, up to `patience` seconds for another process, and share its error too. When all who wait have
    departed, `call` is abandoned. `make` may return None for a result that can't be shared: all get None, and nothing
    is kept.
    """
    if seconds <= 0:
        if departure is not None and call is not None:
            departure.tell(call.abandon)
        return make()
    kept = _kept(key)
    age = float("inf") if kept is None else time.time() - kept.made_at
    if age < (min(seconds, settings.WIDGETS_NO_CACHE_SECONDS) if force else seconds):
        return cast(K, kept)
    work = partial(_once, key, seconds=seconds, known=kept, patience=patience)
    if age < seconds + stale_seconds(seconds) and not force:
        _refresh(key, partial(work, renew or make))
        return cast(K, kept)
    _tell_failure(key)
    return cast(K, _joined(key, partial(work, make), call, departure))


def is_shared() -> bool:
    """Say whether other processes see what this one keeps."""
    return isinstance(results, RedisStore)


def claimed(name: str, seconds: float) -> bool:
    """Take something that one process is to do, for so long; say whether no other one that shares the cache has."""
    return bool(_guarded(lambda: results.add(name, 1, seconds)))


def kept_in_memory(key: str, *, seconds: float) -> Any:
    """Return the kept result of `key` if this process has it and it is fresh, without waiting for anything."""
    kept = _kept(key) if isinstance(results, MemoryCache) else None
    return kept if kept is not None and time.time() - kept.made_at < seconds else None


def _kept(key: str) -> Any:
    return _guarded(lambda: results.get(key))


def _joined(key: str, work: Callable[[Run[K]], K], call: Call | None, departure: Leaving | None) -> K:
    """Wait for the run of a result, and begin it if there is none."""
    gone: Future[None] = Future()
    with _lock:
        begun = _running.get(key)
        run: Run[K] = begun or _running.setdefault(key, Run(call))
        run.waiting.add(gone)
    if departure is not None:
        departure.tell(partial(_leave, key, run, gone))
    if begun is None:
        _finish(key, run, work)
    either: list[Future[Any]] = [run.outcome, gone]
    wait(either, return_when=FIRST_COMPLETED)
    if not run.outcome.done():
        raise Abandoned("Nobody waits for this answer any more.")
    return run.outcome.result()


def _leave(key: str, run: Run[Any], gone: Future[None]) -> None:
    """Take somebody off those who wait; after the last one the run is ended. May be called again."""
    with _lock:
        run.waiting.discard(gone)
        if gone.done():
            return
        gone.set_result(None)
        if run.waiting or run.call is None or run.outcome.done():
            return
    ending = threading.Timer(GRACE_SECONDS, _end, args=(key, run))
    ending.daemon = True
    with suppress(RuntimeError):  # no thread to spare: then it goes on to its limits
        ending.start()


def _end(key: str, run: Run[Any]) -> None:
    with _lock:
        if run.waiting or run.outcome.done() or run.call is None or not run.can_stop:
            return
        # Whoever asks from now on begins anew.
        _forget(key, run)
    run.call.abandon()


def _forget(key: str, run: Run[Any]) -> None:
    if _running.get(key) is run:
        del _running[key]


def _finish(key: str, run: Run[K], work: Callable[[Run[K]], K]) -> None:
    """Do the work of a run, and tell its outcome to all who wait."""
    try:
        run.outcome.set_result(work(run))
    except BaseException as error:
        if isinstance(error, SourceFailed | SourceTimeout) and not run.abandoned:
            failure = Failure(copy(error), time.monotonic() + FAILURE_SECONDS)
            _failures.put(key, failure, len(str(error)))
        run.outcome.set_exception(error)
    finally:
        with _lock:
            _forget(key, run)


def _tell_failure(key: str) -> None:
    failure = _failures.get(key)
    if failure is not None and time.monotonic() < failure.until:
        # Another one each time: an error that is raised again keeps the frames of all who saw it.
        raise copy(failure.error)


def _refresh(key: str, work: Callable[[Run[Any]], Any]) -> None:
    """Have a result made anew in a thread of its own, unless it is being made or has just failed."""
    failure = _failures.get(key)
    if failure is not None and time.monotonic() < failure.until:
        return
    with _lock:
        if key in _running or not _refreshes.acquire(blocking=False):
            return
        run = _running[key] = Run[Any](None)
    try:
        threading.Thread(target=_refreshed, args=(key, run, work), name="refresh", daemon=True).start()
    except RuntimeError:  # no thread to spare
        _refreshes.release()
        with _lock:
            _forget(key, run)
        run.outcome.set_exception(Busy("This machine has no thread to spare. Try again in a moment.", retry_after=2))


def _refreshed(key: str, run: Run[Any], work: Callable[[Run[Any]], Any]) -> None:
    _finish(key, run, work)
    _refreshes.release()
    if error := run.outcome.exception():
        logger.warning("A kept result couldn't be made anew: %s", error)
    elif run.outcome.result() is None:
        _guarded(lambda: results.delete(key))


def _once(key: str, make: Callable[[], K], run: Run[K], *, seconds: float, known: Any, patience: float) -> K:
    """Make and keep a result, unless another process has made one since that is newer than the `known` one."""
    lock = _lock_of(key)
    until = time.monotonic() + patience
    taken: bool | None = False
    while lock is not None and not run.abandoned and time.monotonic() < until:
        if (taken := _guarded(lock.take)) is not False:
            break
        _await(lock, run, until)
        if (newer := _newer(key, known, seconds)) is not None:
            return cast(K, newer)
    try:
        # It may have been made since this caller looked for it.
        newer = _newer(key, known, seconds)
        run.begun = True
        return cast(K, newer) if newer is not None else _made(key, make, seconds)
    finally:
        if lock is not None and taken:
            lock.let_go()
            _guarded(lock.release)


def _lock_of(key: str) -> SharedLock | None:
    store = results
    return _guarded(lambda: store.lock(key)) if isinstance(store, RedisStore) else None


def _await(lock: SharedLock, run: Run[Any], until: float) -> None:
    """Wait until another process gives a lock back or dies, as long as anybody waits here."""
    pause = LOOK_SECONDS
    left = [run.call.abandoned] if run.call is not None else [Future[None]()]
    while _guarded(lock.is_taken) and time.monotonic() < until and not run.abandoned:
        wait(left, timeout=pause)
        pause = min(2 * pause, LOOK_SECONDS_MOST)


def _newer(key: str, known: Any, seconds: float) -> Any:
    kept = _kept(key)
    if kept is None or (known is not None and kept.made_at <= known.made_at):
        return None
    return kept if time.time() - kept.made_at < seconds else None


def _made(key: str, make: Callable[[], K], seconds: float) -> K:
    made = make()
    if made is not None:
        _guarded(lambda: results.set(key, made, seconds + stale_seconds(seconds)))
    return made


def _guarded(work: Callable[[], T]) -> T | None:
    """Do without the cache server when it is away: slower, but right."""
    global _away_until
    if time.monotonic() < _away_until:
        return None
    try:
        return work()
    except (RedisError, OSError) as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("The result cache can't be used: %s", error)
        return None
