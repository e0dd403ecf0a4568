"""Availability: the share of time in which a save would be accepted and the pipeline made progress."""

from __future__ import annotations

import apsw
import trio

from pipeline.errors import StoreError
from pipeline.store.claims import outlook
from pipeline.store.counts import depth
from tests.simulation.clock import MINUTE
from tests.simulation.roles import CONFIG, Api, Service

STILL_SECONDS = 5 * MINUTE  # of no step at all while something could be done
STALLED_SECONDS = 20 * MINUTE  # of the same, which nothing that befalls a world explains


class Meter:
    """Looks once a minute; how long the worker was down is known exactly."""

    def __init__(self, api: Api, service: Service, conn: apsw.Connection) -> None:
        """`conn`: of nobody, to read by what the api would be asked."""
        self._conn = conn
        self._api = api
        self._service = service
        self._bad: list[tuple[float, float]] = []
        self._progress_at = 0.0
        self._steps = (0, 0)
        self.why: dict[str, int] = {}
        self.faults: list[str] = []

    async def watch(self, seconds: float) -> None:
        end = trio.current_time() + seconds
        while (at := trio.current_time()) + MINUTE <= end:
            why = await self._wrong()
            if why:
                self.why[why] = self.why.get(why, 0) + 1
                self._bad.append((at, at + MINUTE))
            await trio.sleep_until(at + MINUTE)

    async def _wrong(self) -> str:
        """Why this moment is not a good one; "" when it is."""
        why = await self._no_saves()
        if why:
            self._progress_at = trio.current_time()  # nothing can be claimed then either
            return why
        return self._no_progress()

    async def _no_saves(self) -> str:
        try:
            store = self._api.store
            await store.status.check(seconds=5.0)
        except StoreError as error:
            return f"no saves: {type(error).__name__}"
        room = store.status.disk()
        if room is not None and room.is_low:
            return "no saves: disk"
        if depth(self._conn).backlog >= CONFIG.queue.max_backlog:
            return "no saves: backlog"
        return ""

    def _no_progress(self) -> str:
        worker = self._service.worker
        steps = (len(self._service.ends), 0 if worker is None else sum(actor.finished for actor in worker.line.actors))
        now = trio.current_time()
        if worker is None or steps != self._steps or not outlook(self._conn).ready:
            self._steps, self._progress_at = steps, now
        still = now - self._progress_at
        if still > STALLED_SECONDS and not self.faults:
            self.faults.append(f"a worker that is up has done nothing for {still / MINUTE:.0f} minutes (at {now:.0f})")
        return "no progress" if still > STILL_SECONDS else ""

    def availability(self, since: float, until: float) -> float:
        """Between 0 and 1; spans that overlap count once."""
        spans = sorted((max(a, since), min(b, until)) for a, b in [*self._bad, *self._service.downs] if b > since)
        lost, reached = 0.0, since
        for start, end in spans:
            lost += max(0.0, end - max(start, reached))
            reached = max(reached, end)
        return 1 - lost / (until - since)
