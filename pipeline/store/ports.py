"""What the parts of the store share: where to write, where to read, what time it is, where randomness comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import apsw

from pipeline.clock import Clock
from pipeline.errors import StoreBroken
from pipeline.ids import Random
from pipeline.settings import QueueSettings, RetrySettings
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
    clock: Clock
    random: Random
    queue: QueueSettings
    retry: RetrySettings

    async def write(self, operation: Callable[[apsw.Connection], T]) -> T:
        """See Writer.submit: atomic, on the disk when it returns."""
        return await self.writer.submit(operation)

    async def read(self, job: Callable[[apsw.Connection], T]) -> T:
        """See Readers.read: one snapshot, with a deadline. A disk that fails here ends the store too."""
        try:
            return await self.readers.read(job)
        except StoreBroken as error:
            self.writer.give_up(error)
            raise
