"""Connections: the pragmas every one gets, where its SQL runs (a thread, or inline), and the error mapping."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

import anyio
import anyio.lowlevel
import apsw
import apsw.aio
import msgspec
import sniffio

from pipeline import errors
from pipeline.settings import DatabaseSettings

if TYPE_CHECKING:
    from apsw import AsyncConnection

T = TypeVar("T")

LEAST_SQLITE = 3_051_003  # up to 3.51.2 two connections that write and checkpoint can lose the WAL's reset
READER_BUSY_MS = 1000
WAL_TRIES = 20  # each waits for the write lock, up to the busy timeout
WAL_LIMIT_BYTES = 67_108_864  # the WAL file is cut back to this after a checkpoint


class Executor(Protocol):
    """Where the SQL of one connection runs. The simulation runs it inline: a fake clock would jump over a thread."""

    async def run(self, job: Callable[[apsw.Connection], T]) -> T:
        """Run `job` to its end. Cancelling the caller's anyio scope does not cut a transaction in the middle."""
        ...

    async def aclose(self) -> None: ...


class ThreadExecutor:
    """A connection in a thread of its own, through apsw.aio; works on trio and on asyncio."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def run(self, job: Callable[[apsw.Connection], T]) -> T:
        # Inside its own thread the connection behaves like a plain one.
        plain = cast(apsw.Connection, self._connection)
        with anyio.CancelScope(shield=True):
            result: T = await self._connection.async_run(job, plain)
        return result

    async def aclose(self) -> None:
        # Shielded, because an unclosed connection keeps its thread and hangs the interpreter's exit.
        # A failing last checkpoint is no error: what was committed stays in the WAL.
        with anyio.CancelScope(shield=True), contextlib.suppress(apsw.Error):
            await self._connection.aclose()


class InlineExecutor:
    """A connection used on the event loop itself, without any thread."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def run(self, job: Callable[[apsw.Connection], T]) -> T:
        await anyio.lowlevel.checkpoint()
        return job(self._connection)

    async def aclose(self) -> None:
        with contextlib.suppress(apsw.Error):
            self._connection.close()


class Refusing:
    """In place of a connection that could not be had: whoever asks for anything is told why."""

    def __init__(self, error: errors.StoreError) -> None:
        self._error = error

    async def run(self, _job: Callable[[apsw.Connection], T]) -> T:
        await anyio.lowlevel.checkpoint()
        raise type(self._error)(self._error.message, hint=self._error.hint)

    async def aclose(self) -> None:
        return


async def connect(path: Path, *, flags: int, inline: bool, prepare: Callable[[apsw.Connection], None]) -> Executor:
    """Open `path` and run `prepare` on the connection. Raises StoreError; leaves nothing open when it does."""
    if apsw.SQLITE_VERSION_NUMBER < LEAST_SQLITE:
        raise errors.StoreError(
            f"SQLite {apsw.sqlite_lib_version()} can lose committed data in WAL mode",
            hint="install apsw 3.51.3.0 or later",
        )
    executor: Executor
    with mapped(f"open {path}"):
        if inline:
            executor = InlineExecutor(apsw.Connection(str(path), flags=flags))
        else:
            trio = sniffio.current_async_library() == "trio"
            controller = (
                apsw.aio.Trio if trio else apsw.aio.AsyncIO
            )  # a class is what is called for; the stub says less
            # Shielded: a connection that is opened and handed to nobody would keep its thread for ever.
            with (
                setting(apsw.async_controller, cast("apsw.AsyncConnectionController", controller)),
                anyio.CancelScope(shield=True),
            ):
                executor = ThreadExecutor(await apsw.Connection.as_async(str(path), flags=flags))
        try:
            await executor.run(prepare)
        except BaseException:
            await executor.aclose()
            raise
    return executor


@contextlib.contextmanager
def setting(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Set a context variable for the time of a block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


class Caches(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a database file each connection keeps in memory, in KiB: what bounds a role's memory."""

    writer_kib: int
    reader_kib: int


ATLAS_CACHES = Caches(writer_kib=16_000, reader_kib=8_000)
ARCHIVE_CACHES = Caches(writer_kib=1_000, reader_kib=1_000)  # a body is written once and read once or twice


def prepare_writer(settings: DatabaseSettings, caches: Caches) -> Callable[[apsw.Connection], None]:
    """The pragmas of the one writing connection of a process."""

    def prepare(conn: apsw.Connection) -> None:
        conn.set_busy_timeout(settings.busy_timeout_ms)
        if _to_wal(conn) != "wal":
            raise errors.StoreError("the file system refuses WAL mode", hint="keep the data folder on a local disk")
        conn.pragma("synchronous", settings.synchronous.upper())
        conn.wal_autocheckpoint(0)  # the writer does it: SQLite would keep an error to itself
        conn.pragma("journal_size_limit", WAL_LIMIT_BYTES)
        conn.pragma("cache_size", -caches.writer_kib)
        _prepare_safety(conn)

    return prepare


def _to_wal(conn: apsw.Connection) -> object:
    """The journal mode after asking for WAL.

    Of several processes that ask for it first SQLite refuses all but one at once, lest they wait for each other: then
    we wait for the write lock and ask again.
    """
    for _ in range(WAL_TRIES):
        with contextlib.suppress(apsw.BusyError):
            return conn.pragma("journal_mode", "wal")
        conn.execute("BEGIN IMMEDIATE; ROLLBACK")
    return conn.pragma("journal_mode", "wal")


def prepare_reader(caches: Caches) -> Callable[[apsw.Connection], None]:
    """The pragmas of a read-only connection."""

    def prepare(conn: apsw.Connection) -> None:
        conn.set_busy_timeout(READER_BUSY_MS)
        conn.pragma("query_only", True)
        conn.pragma("cache_size", -caches.reader_kib)
        _prepare_safety(conn)

    return prepare


def _prepare_safety(conn: apsw.Connection) -> None:
    conn.pragma("foreign_keys", True)
    conn.pragma("trusted_schema", False)  # a hostile schema may not run functions
    conn.pragma("cell_size_check", True)
    conn.pragma("temp_store", 2)  # in memory: the sandbox has no temp folder to spill into
    conn.pragma("mmap_size", 0)  # an I/O error stays an error, not a SIGBUS
    conn.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    conn.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)


READ_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
READ_ONLY = apsw.SQLITE_OPEN_READONLY

RESTORE = "restore a backup: atlas backup list, then atlas restore ID"

# What SQLite says, in our words; the first that fits.
_TABLE: tuple[tuple[type[Exception], type[errors.StoreError], str, str], ...] = (
    (apsw.BusyError, errors.StoreBusy, "another process holds the database's lock", "it is retried; try again soon"),
    (apsw.LockedError, errors.StoreBusy, "the database is locked", "try again soon"),
    (apsw.FullError, errors.StoreFull, "the disk is full", "free some space on the disk of the data folder"),
    (
        apsw.CorruptError,
        errors.StoreDamaged,
        "the database is damaged",
        RESTORE,
    ),
    (
        apsw.NotADBError,
        errors.StoreDamaged,
        "the file is no SQLite database",
        f"check [database] path; if it is right, the file is damaged: {RESTORE}",
    ),
    (
        apsw.CantOpenError,
        errors.StoreUnreadable,
        "the file cannot be opened",
        "check that the folder is there and ours",
    ),
    (apsw.ReadOnlyError, errors.StoreBroken, "the database can only be read", "check the disk and its permissions"),
    (apsw.PermissionsError, errors.StoreBroken, "no permission on the database", "check who owns the data folder"),
    (apsw.IOError, errors.StoreBroken, "the disk failed", "check the disk; Atlas starts again by itself"),
)


def mapping(error: BaseException, operation: str) -> errors.StoreError | None:
    """The error of ours for one of SQLite's; None for anything that is not SQLite's to say."""
    if getattr(error, "extendedresult", None) == apsw.SQLITE_IOERR_SHMSIZE:  # set on every error, but not in the stubs
        error = apsw.FullError(str(error))  # no room for the WAL's index is no failure of the disk
    for theirs, ours, what, hint in _TABLE:
        if isinstance(error, theirs):
            return ours(f"{operation}: {what} ({error})", hint=hint)
    if isinstance(error, UnicodeDecodeError):  # every text in it was one when it was written: test_corrupted.py
        return errors.StoreDamaged(f"{operation}: the database is damaged ({error})", hint=RESTORE)
    if isinstance(error, TimeoutError) or type(error).__name__ == "TooSlowError":  # asyncio's word for it, and trio's
        return errors.StoreBusy(f"{operation}: it took too long", hint="try again, or ask for less")
    if isinstance(error, apsw.Error):
        return errors.StoreError(f"{operation}: {error}", hint="this is a fault of Atlas; please report it")
    return None


@contextlib.contextmanager
def mapped(operation: str) -> Iterator[None]:
    """Turn SQLite's errors into ours at this edge, the cause kept."""
    try:
        yield
    except Exception as error:
        ours = mapping(error, operation)
        if ours is None:
            raise
        raise ours from error
