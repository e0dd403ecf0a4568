"""The one writing connection of a process: whatever waits goes into one transaction, each request in its savepoint.

A request's result is handed out only after COMMIT: what a caller was told is on the disk. One request that fails does
not fail its neighbours. There is no added delay when idle: the batch is whatever came while the last one was synced.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar, cast

import anyio
import apsw

from observability import metrics
from pipeline import errors
from pipeline.store.connection import Executor, mapped, mapping
from pipeline.store.damage import Guard

T = TypeVar("T")

BATCH = 64  # requests in one transaction: bounds how long the first of them waits for the last
PENDING = 1024  # requests in memory; past it a caller is told to come back
CHECKPOINT_PAGES = 1000  # of the WAL, after which they are copied into the database: SQLite's own figure
WAL_TRUNCATE_BYTES = 33_554_432  # a WAL past 32 MiB is cut back when the writer is idle
CHECK_WAL_EVERY = 256  # batches
TRUNCATE_WAIT_MS = 100  # for reads that are at work at that moment: they take a few


class _Request(Generic[T]):
    """One caller's operation and, once committed, its result."""

    def __init__(self, operation: Callable[[apsw.Connection], T]) -> None:
        self.operation = operation
        self.done = anyio.Event()
        self.result: T | None = None
        self.error: BaseException | None = None

    def settle(self, result: T | None, error: BaseException | None) -> None:
        self.result, self.error = result, error
        self.done.set()


class Writer:
    """Group commit over one Executor. `run()` must be running somewhere for `submit()` to return."""

    def __init__(self, executor: Executor, name: str = "atlas", guard: Guard | None = None) -> None:
        """`guard`: of the library's file, which is never written to again once a damage has been found."""
        self._executor = executor
        self._guard = guard
        self._name = name
        self._pending: deque[_Request[object]] = deque()
        self._news = anyio.Event()
        self._broken: errors.StoreError | None = None
        self._closing = False
        self._busy_since: float | None = None
        self._wal_pages = 0
        self.batches = 0

    @property
    def waiting(self) -> int:
        """Requests that are not in a transaction yet."""
        return len(self._pending)

    @property
    def busy_seconds(self) -> float:
        """How long the transaction or checkpoint at work has taken so far; 0 when none is."""
        return 0.0 if self._busy_since is None else anyio.current_time() - self._busy_since

    async def submit(self, operation: Callable[[apsw.Connection], T]) -> T:
        """Run `operation` in the next transaction and return its result after the commit.

        Raises what `operation` raises, or StoreBusy, StoreFull, StoreDamaged, StoreBroken; then nothing of it was
        written.
        Cancelled while waiting: it may have been committed or not, never half.
        """
        if self._broken is not None:
            raise _again(self._broken)
        if self._guard is not None:
            self._guard.refuse()
        if self._closing:
            raise errors.StoreError("the store is closed")
        if len(self._pending) >= PENDING:
            raise errors.StoreBusy("too many writes are waiting", hint="try again soon")
        request = _Request(operation)
        waiting = cast("_Request[object]", request)
        self._pending.append(waiting)
        self._news.set()
        try:
            await request.done.wait()
        finally:
            if not request.done.is_set() and waiting in self._pending:
                self._pending.remove(waiting)  # cancelled before its turn: not made at all
        if request.error is not None:
            raise request.error
        return cast(T, request.result)

    async def run(self) -> None:
        """Commit batches until `close()`. Raises StoreBroken when the disk failed: the process must end then."""
        # SQLite's own checkpoints say nothing of a sync that failed, and a later one that succeeds proves nothing.
        await self._executor.run(lambda conn: conn.set_wal_hook(self._wal_grew))
        while True:
            if self._broken is not None:
                self._fail_the_rest(self._broken)
                raise self._broken
            if not self._pending:
                if self._closing:
                    return
                self._news = anyio.Event()
                await self._news.wait()
                continue
            batch = [self._pending.popleft() for _ in range(min(BATCH, len(self._pending)))]
            self._busy_since = anyio.current_time()
            await self._commit(batch)
            metrics.COMMIT_SECONDS.record(self.busy_seconds, database=self._name)
            self._busy_since = None
            if self._broken is not None:
                raise self._broken
            self.batches += 1
            if self._wal_pages >= CHECKPOINT_PAGES:
                await self._checkpoint(checkpoint)
            if not self._pending and self.batches % CHECK_WAL_EVERY == 0:
                await self._checkpoint(truncate_wal)

    def give_up(self, error: errors.StoreBroken) -> None:
        """The disk failed somebody who reads: `run()` raises it, and nothing more is written."""
        if self._broken is None:
            self._broken = errors.StoreBroken(error.message, hint=error.hint)
        self._news.set()

    def close(self) -> None:
        """Take no more requests; `run()` ends when those that wait are committed."""
        self._closing = True
        self._news.set()

    async def _commit(self, batch: list[_Request[object]]) -> None:
        try:
            answers = await self._executor.run(lambda conn: self._transact(conn, batch))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it; what is not SQLite's to say ends the store
            ours = _ours(error)
            if isinstance(ours, errors.StoreBroken):
                ours.__cause__ = error
                self._broken = ours
            for request in batch:
                request.settle(None, _again(ours))
            if isinstance(ours, errors.StoreDamaged) and self._guard is not None:
                self._guard.found(str(error), "write")
            if isinstance(ours, errors.StoreBroken | errors.StoreBusy | errors.StoreDamaged):
                # Without the lock there was none for those behind either: nobody waits for two timeouts.
                self._fail_the_rest(ours)
        except BaseException:
            # Cancelled from outside anyio: nobody may wait for an answer that will not come.
            self._fail_the_rest(errors.StoreError("the store was closed"))
            for request in batch:
                request.settle(None, errors.StoreError("the store was closed while it was writing"))
            raise
        else:
            for request, (result, fault) in zip(batch, answers, strict=True):
                request.settle(result, fault)

    def _transact(
        self, conn: apsw.Connection, batch: list[_Request[object]]
    ) -> list[tuple[object, BaseException | None]]:
        if self._guard is not None:
            self._guard.look()
        return _transact(conn, batch)

    def _fail_the_rest(self, error: errors.StoreError) -> None:
        while self._pending:
            self._pending.popleft().settle(None, _again(error))

    def _wal_grew(self, _conn: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    async def _checkpoint(self, job: Callable[[apsw.Connection], None]) -> None:
        """After the answers: what fails here was committed, and is in the WAL."""
        self._busy_since = anyio.current_time()
        try:
            with mapped("checkpoint"):
                await self._executor.run(lambda conn: self._copy_back(conn, job))
        except (errors.StoreBusy, errors.StoreFull):
            return  # a reader in the way, or no room for the pages: the WAL keeps them, another time
        except errors.StoreDamaged as error:
            if self._guard is None:
                raise
            self._guard.found(str(error.__cause__ or error), "checkpoint")  # the WAL keeps what was committed
        except errors.StoreError as error:
            self._broken = errors.StoreBroken(error.message, hint=error.hint)
            self._fail_the_rest(self._broken)
            raise self._broken from error
        finally:
            self._busy_since = None

    def _copy_back(self, conn: apsw.Connection, job: Callable[[apsw.Connection], None]) -> None:
        if self._guard is not None:
            self._guard.look()
        job(conn)


def _ours(error: Exception) -> errors.StoreError:
    if isinstance(error, errors.StoreDamaged):
        return error
    return mapping(error, "commit") or errors.StoreBroken(f"commit: {error!r}", hint="please report it")


def _again(error: errors.StoreError) -> errors.StoreError:
    """The same for one more caller: an exception that many raise would collect all their tracebacks."""
    return type(error)(error.message, hint=error.hint)


def _transact(conn: apsw.Connection, batch: list[_Request[object]]) -> list[tuple[object, BaseException | None]]:
    """All of `batch` in one transaction. Raises when the transaction as a whole failed; it is rolled back then."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        answers = [_in_savepoint(conn, request.operation) for request in batch]
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise
    return answers


def _in_savepoint(
    conn: apsw.Connection, operation: Callable[[apsw.Connection], object]
) -> tuple[object, BaseException | None]:
    conn.execute("SAVEPOINT request")
    try:
        result = operation(conn)
    except Exception as error:
        ours = mapping(error, "write")
        # A full or failing disk has rolled back the whole transaction, or will: it is not this request's alone. Into
        # what is damaged nobody's request is written.
        if not conn.in_transaction or isinstance(ours, (errors.StoreBroken, *errors.TAKES_NO_WRITE)):
            raise
        conn.execute("ROLLBACK TO request")
        conn.execute("RELEASE request")
        return None, ours or error
    conn.execute("RELEASE request")
    return result, None


def checkpoint(conn: apsw.Connection) -> None:
    """Copy what no reader still needs from the WAL into the database."""
    conn.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def truncate_wal(conn: apsw.Connection) -> None:
    """Cut the WAL back when it has grown. This has the write lock, so it waits for nobody who reads for long."""
    path = Path(conn.filename_wal)
    size = path.stat().st_size if path.exists() else 0
    if size > WAL_TRUNCATE_BYTES:
        waits = cast(int, conn.pragma("busy_timeout"))
        conn.set_busy_timeout(TRUNCATE_WAIT_MS)  # with the writer's own 5 s all writes stood still: test_wal_grows.py
        try:
            conn.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            conn.set_busy_timeout(waits)
