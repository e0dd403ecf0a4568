"""Persons: they save by day, import at times, save again, delete, undelete and retry what failed."""

from __future__ import annotations

from random import Random

import trio

from pipeline.errors import NotFound, QueueFull, StoreBusy, StoreFull
from pipeline.items import Submission
from pipeline.lifecycle import Priority
from pipeline.selection import parse
from pipeline.text.urls import canonicalise
from tests.simulation.clock import DAY, HOUR
from tests.simulation.roles import Api, Service

SAVES_A_DAY = 110
IMPORTS_EVERY = 20 * DAY  # beside those in which the worker is killed
IMPORTED = 500


class Persons:
    def __init__(self, api: Api, worker: Service, hosts: list[str], dice: Random) -> None:
        self._api = api
        self._worker = worker
        self._hosts = hosts
        self._dice = dice
        self._saved: list[str] = []
        self._number = 0
        self.acknowledged: set[str] = set()
        self.again = 0  # saves of what had been saved before
        self.refused = 0

    async def live(self, seconds: float) -> None:
        """Save until so many seconds have passed."""
        end = trio.current_time() + seconds
        while (at := trio.current_time() + self._dice.expovariate(self._rate())) < end:
            await trio.sleep_until(at)
            await self._do_something()

    async def import_now_and_then(self, seconds: float) -> None:
        end = trio.current_time() + seconds
        while (at := trio.current_time() + self._dice.expovariate(1 / IMPORTS_EVERY)) < end - HOUR:
            await trio.sleep_until(at)
            await self.import_some()

    async def import_some(self) -> None:
        for _ in range(IMPORTED):
            await self.save(self._new_url(), Priority.IMPORT)

    def _rate(self) -> float:
        by_day = trio.current_time() % DAY < 16 * HOUR  # the world begins in the morning
        return SAVES_A_DAY / DAY * (1.4 if by_day else 0.2)

    async def _do_something(self) -> None:
        what = self._dice.random()
        if what < 0.06 and self._saved:
            await self.save(self._dice.choice(self._saved))
        elif what < 0.08 and self.acknowledged:
            await self._delete()
        elif what < 0.09:
            await self._retry()
        else:
            await self.save(self._new_url())

    def _new_url(self) -> str:
        self._number += 1
        return f"http://{self._dice.choice(self._hosts)}/page/{self._number}"

    async def save(self, url: str, priority: Priority = Priority.PERSON) -> None:
        submission = Submission(url=url, url_key=canonicalise(url), priority=priority)
        for _ in range(200):  # a person, and an extension, tries again
            try:
                accepted = await self._api.store.items.accept(submission)
            except (StoreBusy, StoreFull, QueueFull):
                self.refused += 1
                await trio.sleep(self._dice.uniform(1, 60))
                continue
            self.again += accepted.uid in self.acknowledged
            self.acknowledged.add(accepted.uid)
            self._saved.append(url)
            self._api.trace.note(trio.current_time(), "save", accepted.uid)
            self._worker.ring()
            return

    async def _delete(self) -> None:
        uid = self._dice.choice(sorted(self.acknowledged))
        try:
            await self._api.store.items.delete(uid)
        except (StoreBusy, StoreFull, NotFound):
            return
        self._api.trace.note(trio.current_time(), "delete", uid)

    async def _retry(self) -> None:
        try:
            done = await self._api.store.retries.retry_where(parse("state:dead newer:3d"))
        except (StoreBusy, StoreFull, QueueFull):
            return
        self._api.trace.note(trio.current_time(), "retry", sum(done.counts.values()))
        self._worker.ring()
