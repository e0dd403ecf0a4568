"""`open_store()`: the narrow object everyone else holds. Its methods are the contract; nothing of SQLite shows through.

Works on trio and on asyncio. One writing connection a database and process, a few that only read.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
import apsw

from pipeline import errors
from pipeline.clock import Clock
from pipeline.ids import Random, system_random
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.bodies import Archive, BodyStore
from pipeline.store.breakers import BreakerStore
from pipeline.store.connection import (
    ARCHIVE_CACHES,
    ATLAS_CACHES,
    READ_ONLY,
    READ_WRITE,
    Caches,
    Executor,
    Refusing,
    connect,
    mapped,
    prepare_reader,
    prepare_writer,
)
from pipeline.store.damage import Guard, Tell, nobody
from pipeline.store.disk import Disk, Measure, space_of
from pipeline.store.feeds import FeedStore
from pipeline.store.items import ItemStore
from pipeline.store.library import shared
from pipeline.store.migrate import check_header, migrate, migrations
from pipeline.store.mishaps import MishapStore
from pipeline.store.outbox import OutboxStore
from pipeline.store.ports import Db
from pipeline.store.queue import QueueStore
from pipeline.store.readers import Readers
from pipeline.store.retries import RetryStore
from pipeline.store.search import SearchStore
from pipeline.store.status import StatusStore
from pipeline.store.steps import refers_to_bodies
from pipeline.store.tokens import TokenStore
from pipeline.store.traces import TraceStore
from pipeline.store.writer import Writer

ARCHIVE_READERS = 2


class Store(NamedTuple):
    """One data folder, opened. See each part for what it promises."""

    items: ItemStore
    queue: QueueStore
    search: SearchStore
    bodies: BodyStore
    feeds: FeedStore
    tokens: TokenStore
    status: StatusStore
    outbox: OutboxStore
    breakers: BreakerStore
    retries: RetryStore
    traces: TraceStore
    mishaps: MishapStore


@contextlib.asynccontextmanager
async def open_store(
    database: DatabaseSettings,
    queue: QueueSettings,
    retry: RetrySettings,
    *,
    folder: Path,
    clock: Clock,
    random: Random = system_random,
    inline: bool = False,
    measure: Measure | None = None,
    on_damage: Tell | None = None,
) -> AsyncIterator[Store]:
    """Open (and create or migrate) the databases of a data folder.

    Raises StoreError when they cannot be used; with an archive that cannot be read the library is served all the same,
    and `bodies.fault` says why. A library that is damaged is served for reading, as far as it can be read: every write
    raises StoreDamaged, `status.damage()` says why, and `on_damage` is called, at once or when it shows. `measure`
    replaces the look at the disk of the folder. When the disk fails while it is open, the body is cancelled and
    StoreBroken comes out of here: the process must end. Leaving commits what is waiting. `inline` uses no threads.
    """
    with _creating(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # noqa: ASYNC240 - once, before anything runs
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(shared(folder))
        files = {"atlas": folder / database.path, "archive": folder / database.archive_path}
        guard = Guard(folder, files["atlas"], clock, on_damage or nobody)
        atlas = await _library(stack, files, database, guard, inline=inline)
        db = Db(
            writer=atlas[0],
            readers=atlas[1],
            disk=Disk(measure or partial(space_of, folder), database, clock),
            guard=guard,
            clock=clock,
            random=random,
            queue=queue,
            retry=retry,
        )
        archive = await _archive(stack, files["archive"], database, db, inline=inline)
        bodies = BodyStore(archive, clock)
        yield Store(
            items=ItemStore(db, bodies),
            queue=QueueStore(db, bodies),
            search=SearchStore(db),
            bodies=bodies,
            feeds=FeedStore(db),
            tokens=TokenStore(db),
            status=StatusStore(db, files=files, archive=archive),
            outbox=OutboxStore(db),
            breakers=BreakerStore(db),
            retries=RetryStore(db),
            traces=TraceStore(db),
            mishaps=MishapStore(db),
        )


async def _library(
    stack: contextlib.AsyncExitStack, files: dict[str, Path], settings: DatabaseSettings, guard: Guard, *, inline: bool
) -> tuple[Writer, Readers]:
    """The library, opened; once it is known to be damaged, for reading only, and as far as that goes."""
    path, caches = files["atlas"], ATLAS_CACHES
    if guard.damage is None:
        try:
            return await stack.enter_async_context(
                _open(path, "atlas", settings, caches=caches, readers=settings.pool_size, inline=inline, guard=guard)
            )
        except errors.StoreDamaged as error:
            if not guard.is_ours(files["archive"]):
                raise
            guard.found(str(error.__cause__ or error), "open")

    def prepare(conn: apsw.Connection) -> None:
        prepare_reader(caches)(conn)
        check_header(conn)

    reading: list[Executor] = []
    for _ in range(settings.pool_size):
        try:
            executor = await connect(path, flags=READ_ONLY, inline=inline, prepare=prepare)
            stack.push_async_callback(executor.aclose)
        except errors.StoreDamaged as error:
            executor = Refusing(error)
        reading.append(executor)
    return Writer(reading[0], "atlas", guard), Readers(reading)


async def _archive(
    stack: contextlib.AsyncExitStack, path: Path, settings: DatabaseSettings, db: Db, *, inline: bool
) -> Archive:
    """The archive, opened; or what is wrong with it: search and reading need none of it."""
    try:
        if not path.exists() and await db.read(refers_to_bodies):  # noqa: ASYNC240 - once, before anything runs
            raise errors.StoreUnreadable(
                f"{path.name} is missing, and the library refers to what was in it",
                hint=f"restore {path.name} from a backup, or give it up by creating an empty file of that name",
            )
        opened = await stack.enter_async_context(
            _open(path, "archive", settings, caches=ARCHIVE_CACHES, readers=ARCHIVE_READERS, inline=inline)
        )
        return Archive(writer=opened[0], readers=opened[1])
    except (errors.StoreUnreadable, errors.StoreBroken) as error:
        return Archive(fault=error)


@contextlib.asynccontextmanager
async def _open(
    path: Path,
    name: str,
    settings: DatabaseSettings,
    *,
    caches: Caches,
    readers: int,
    inline: bool,
    guard: Guard | None = None,
) -> AsyncIterator[tuple[Writer, Readers]]:
    """One database file: its writer running, its readers open."""
    with _creating(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # noqa: ASYNC240

    def prepare(conn: apsw.Connection) -> None:
        conn.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # until all is well: closing would write to it
        conn.set_busy_timeout(settings.busy_timeout_ms)  # others may be opening it for the first time
        check_header(conn)  # before anything is changed: a foreign file stays as it was
        prepare_writer(settings, caches)(conn)
        migrate(conn, migrations(name))
        with contextlib.suppress(apsw.BusyError):  # others are writing; the scheduler does it again
            conn.pragma("optimize", 0x10002)

    async with contextlib.AsyncExitStack() as stack:

        async def connection(flags: int, prepared: Callable[[apsw.Connection], None]) -> Executor:
            executor = await connect(path, flags=flags, inline=inline, prepare=prepared)
            stack.push_async_callback(executor.aclose)
            return executor

        with mapped(f"open {path}"):
            executor = await connection(READ_WRITE, prepare)
            stack.push_async_callback(_let_copy_back, executor, guard)
            writer = Writer(executor, name, guard)
            reading = [await connection(READ_ONLY, prepare_reader(caches)) for _ in range(readers)]
        with _alone():
            async with anyio.create_task_group() as group:
                group.start_soon(_outlive, writer)
                try:
                    yield writer, Readers(reading)
                finally:
                    writer.close()


async def _let_copy_back(executor: Executor, guard: Guard | None) -> None:
    """Let SQLite empty the WAL into the file at its closing, unless that is damaged."""
    with contextlib.suppress(errors.StoreDamaged, apsw.Error), anyio.CancelScope(shield=True):
        if guard is not None:
            guard.look()
        await executor.run(lambda conn: conn.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0))


@contextlib.contextmanager
def _creating(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = errors.StoreFull if error.errno == errno.ENOSPC else errors.StoreUnreadable
        raise kind(f"create {path}: {error.strerror}", hint="check that the folder is there and ours") from error


async def _outlive(writer: Writer) -> None:
    # Those who use the store give their leases back while they are cancelled: the writer goes last, by close().
    with anyio.CancelScope(shield=True):
        await writer.run()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """What was raised inside a task group, without the group around it when it is the only one.

    A broken disk goes before all that failed because of it: it decides how the process ends.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        chosen: BaseException | None = group.subgroup(errors.StoreBroken)
        while isinstance(chosen, BaseExceptionGroup):
            chosen = chosen.exceptions[0]
        if chosen is None and len(group.exceptions) == 1:
            chosen = group.exceptions[0]
        if chosen is None:
            raise
        raise chosen from chosen.__cause__
