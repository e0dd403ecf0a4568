"""A process's hold on its database files: it can die between any two commits, or in one, as of kill -9.

What the dead then try to write is refused by a lock that nobody holds, so that no clean-up of tasks which only this
simulation runs to their end has an effect. What SQLite does is real.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import anyio
import apsw

from pipeline.store.connection import InlineExecutor
from pipeline.store.disk import Space

T = TypeVar("T")


class Machine:
    """The disk that the processes share."""

    def __init__(self) -> None:
        self.is_low = False  # the guard's measure
        self.is_full = False  # writes fail

    def measure(self) -> Space:
        return Space(total=2**40, free=0 if self.is_low else 2**40)


class Process:
    """One life of one role."""

    def __init__(self, name: str, machine: Machine, on_commit: Callable[[str], None]) -> None:
        self.name = name
        self.machine = machine
        self.dead = False
        self.on_death: Callable[[], None] = lambda: None
        self._commits_left: int | None = None
        self._after = False
        self._on_commit = on_commit

    def dies_at_commit(self, number: int, *, after: bool) -> None:
        """Die at the commit `number` from now (1: the next), once it is on the disk (`after`) or just before."""
        self._commits_left, self._after = number, after

    def die(self) -> None:
        if not self.dead:
            self.dead = True
            self.on_death()

    def committing(self) -> bool:
        """SQLite asks: True turns the commit into a rollback."""
        if self._commits_left is not None and not self._after:
            self._commits_left -= 1
            if self._commits_left == 0:
                self.die()
        return self.dead

    def committed(self) -> None:
        self._on_commit(self.name)
        if self._commits_left is not None and self._after:
            self._commits_left -= 1
            if self._commits_left == 0:
                self.die()


PROCESS: ContextVar[Process] = ContextVar("PROCESS")


class MortalExecutor:
    """InlineExecutor, of the process that opens it."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._process = PROCESS.get()
        self._connection = connection
        self._inner = InlineExecutor(connection)
        self._writes = not connection.readonly("main")
        if self._writes and Path(connection.db_filename("main")).name == "atlas.db":
            connection.set_commit_hook(self._process.committing)

    async def run(self, job: Callable[[apsw.Connection], T]) -> T:
        await anyio.lowlevel.checkpoint()
        self._refuse()
        before = self._connection.total_changes()
        try:
            answer = job(self._connection)
        except apsw.ConstraintError:
            self._refuse()  # SQLite's word for a commit that its hook refused
            raise
        if self._writes and self._connection.total_changes() != before:
            self._process.committed()
            self._refuse()
        return answer

    def _refuse(self) -> None:
        if self._process.dead:
            raise apsw.BusyError(f"{self._process.name} is dead")
        if self._process.machine.is_full and self._writes:
            raise apsw.FullError("database or disk is full")

    async def aclose(self) -> None:
        await self._inner.aclose()
