"""A small pool of read-only connections. Reads are short: each has a deadline and fetches its rows before it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import apsw
import apsw.aio

from pipeline import errors
from pipeline.store.connection import Executor, mapped, setting

T = TypeVar("T")

READ_SECONDS = 5.0  # a longer snapshot would keep the WAL from being cut back
WAIT_SECONDS = 5.0  # for a free connection


class Readers:
    """Lends out connections; each job runs in one read transaction of its own."""

    def __init__(self, executors: list[Executor]) -> None:
        self._free = list(executors)
        self._room = anyio.Semaphore(len(executors))

    async def read(self, job: Callable[[apsw.Connection], T]) -> T:
        """Run `job` on a snapshot. Raises StoreBusy past its deadline or when no connection came free."""
        try:
            with anyio.fail_after(WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError as error:
            raise errors.StoreBusy("all read connections are in use", hint="try again soon") from error
        executor = self._free.pop()
        try:
            deadline: int | float | None = anyio.current_time() + READ_SECONDS
            with mapped("read"), setting(apsw.aio.deadline, deadline):
                return await executor.run(lambda conn: _in_snapshot(conn, job))
        finally:
            self._free.append(executor)
            self._room.release()


def _in_snapshot(conn: apsw.Connection, job: Callable[[apsw.Connection], T]) -> T:
    conn.execute("BEGIN")
    try:
        return job(conn)
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
