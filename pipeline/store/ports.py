"""What the parts of the store share: where to write, where to read, what time it is, where randomness comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import apsw

from pipeline.clock import Clock
from pipeline.errors import StoreBroken, StoreDamaged
from pipeline.ids import Random
from pipeline.settings import QueueSettings, RetrySettings
from pipeline.store.damage import Guard
from pipeline.store.disk import Disk
from pipeline.store.readers import Readers
from pipeline.store.writer import Writer

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Db:
    """One database of one process. Every write is a function that runs whole, in one transaction."""

    writer: Writer
    readers: Readers
    disk: Disk
    guard: Guard
    clock: Clock
    random: Random
    queue: QueueSettings
    retry: RetrySettings

    def check_takes_in(self) -> None:
        """Before anything new is begun: raises StoreFull on a nearly full disk, StoreDamaged in safe mode."""
        self.guard.refuse()
        self.disk.check()

    async def write(self, operation: Callable[[apsw.Connection], T]) -> T:
        """See Writer.submit: atomic, on the disk when it returns."""
        return await self.writer.submit(operation)

    async def read(self, job: Callable[[apsw.Connection], T]) -> T:
        """See Readers.read: one snapshot, with a deadline.

        A disk that fails here ends the store too; a damage that is found here ends all writing.
        """
        try:
            return await self.readers.read(job)
        except StoreBroken as error:
            self.writer.give_up(error)
            raise
        except StoreDamaged as error:
            self.guard.found(str(error.__cause__ or error), "read")
            raise
