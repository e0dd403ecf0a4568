"""The recorder of a role: once a second, what was seen of the work goes where it is kept or sent; and is the loop late?

Nothing waits for it. What it cannot get rid of is dropped and counted; a process that dies loses a second of spans.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import anyio

from observability import metrics, spans
from observability.log import Logger
from observability.names import Event
from observability.spans import SpanRecord
from observability.unexpected import Ledger
from pipeline.errors import TAKES_NO_WRITE, StoreBroken, StoreError
from pipeline.store.handle import Store

if TYPE_CHECKING:
    from observability.setup import Observed

EVERY_SECONDS: Final = 1.0
SENT_AT_ONCE: Final = 512
TOLD_EVERY: Final = 60  # rounds between two lines that say that spans were dropped
FLUSH_SECONDS: Final = 1.0  # at the end of the role

Send = Callable[[bytes], Awaitable[bool]]


class Recorder:
    """`send` hands spans on to the role that has a way to the collector; None where there is none to hand on."""

    def __init__(
        self, role: str, observed: Observed, mishaps: Ledger, store: Store, *, keep: int, log: Logger, send: Send | None
    ) -> None:
        self._role = role
        self._observed = observed
        self._mishaps = mishaps
        self._store = store
        self._keep = keep
        self._log = log
        self._send = send
        self._dropped = 0  # spans that the store did not take
        self._told = 0  # of all dropped spans, those that were told of
        self._rounds = 0

    async def run(self) -> None:
        """Record until cancelled."""
        with contextlib.suppress(*TAKES_NO_WRITE):
            await self._store.traces.trim(most=self._keep)  # `[trace] keep` may be smaller than it was
        due = anyio.current_time() + EVERY_SECONDS
        while True:
            await anyio.sleep_until(due)
            late = anyio.current_time() - due
            metrics.LOOP_LAG.record(late)
            await self.round()
            due = max(due + EVERY_SECONDS, anyio.current_time())

    async def last(self) -> None:
        """What is left at the end of the role, while it is being cancelled."""
        with anyio.move_on_after(FLUSH_SECONDS, shield=True):
            await self.round()

    async def round(self) -> None:
        """Keep and hand on what there is; a store that takes none of it keeps nothing from the collector."""
        await self._keep_mishaps()
        await self._keep_spans(self._observed.take_kept())
        if self._send is not None:
            await self._hand_on(self._send)
        self._tell()

    def _tell(self) -> None:
        """Say that spans were dropped, at most once in so many rounds."""
        self._rounds += 1
        dropped = self._dropped + self._observed.dropped
        if dropped > self._told and self._rounds % TOLD_EVERY == 0:
            self._log.warning(Event.TELEMETRY_DROPPED, spans=dropped - self._told)
            self._told = dropped

    async def _keep_mishaps(self) -> None:
        met = self._mishaps.take()
        try:
            await self._store.mishaps.keep(met, role=self._role)
        except StoreBroken:
            raise
        except StoreError:
            self._mishaps.put_back(met)
        except Exception:
            raise  # what cannot be kept now cannot be kept later: it is in the log
        except BaseException:  # cancelled: counted twice at worst, never lost
            self._mishaps.put_back(met)
            raise

    async def _keep_spans(self, ended: list[SpanRecord]) -> None:
        try:
            await self._store.traces.keep(ended, most=self._keep)
        except StoreBroken:
            raise
        except StoreError:
            self._dropped += len(ended)
            metrics.SPANS_DROPPED.add(len(ended), where="kept")

    async def _hand_on(self, send: Send) -> None:
        while batch := self._observed.take_outgoing(SENT_AT_ONCE):
            is_taken = False
            try:
                is_taken = await send(spans.encode(batch))
            finally:
                if not is_taken:
                    self._observed.put_back(batch)
            if not is_taken:
                return
