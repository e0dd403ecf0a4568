"""One world: born from a seed, lived through, brought to rest, judged."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

import apsw
import trio

from pipeline.errors import StoreBusy, StoreFull
from tests.simulation.checks import Checks
from tests.simulation.clock import DAY, HOUR, MINUTE, WorldClock
from tests.simulation.dice import Dice
from tests.simulation.faults import Faults
from tests.simulation.ground import run_repeatably
from tests.simulation.hosts import ARCHIVE, Feeding, settle
from tests.simulation.journal import Journal
from tests.simulation.meter import Meter
from tests.simulation.mortal import Machine
from tests.simulation.network import NETWORK, Network
from tests.simulation.persons import Persons
from tests.simulation.report import Report
from tests.simulation.roles import Service, Surroundings, api
from tests.simulation.trace import Trace

AFTERWARDS_DAYS = 21  # in which nothing more is saved, and everything must come to its end


def live(seed: int, days: float) -> Report:
    """A whole world. Takes minutes of real time for a month."""
    began = time.monotonic()
    dice = Dice(seed)
    with tempfile.TemporaryDirectory(prefix="atlas-world-") as folder:
        world = World(dice, days, Path(folder))
        run_repeatably(dice.stream("turns"), world.live)
        return world.report(seed, time.monotonic() - began)


class World:
    def __init__(self, dice: Dice, days: float, folder: Path) -> None:
        self._dice = dice
        self._days = days
        self._folder = folder
        self._faults_found: list[str] = []
        self._items: dict[str, int] = {}
        self._codes: dict[str, int] = {}
        self._fed = self._copies = self._accepted = 0
        self._rested = False

    async def live(self) -> None:
        clock, trace = WorldClock(), Trace()
        network = Network(settle(self._dice.stream("hosts"), self._days), clock, trace)
        NETWORK.set(network)
        self._around = Surroundings(
            folder=self._folder, clock=clock, machine=Machine(), network=network, trace=trace,
            journal=Journal(), dice=self._dice.stream("ids"),
        )  # fmt: skip
        async with api(self._around) as self._api:
            self._service = Service(self._around, self._dice.stream("service"))
            self._service.after_end = self._after_death
            self._persons = Persons(
                self._api, self._service, [name for name in network.hosts if name != ARCHIVE],
                self._dice.stream("persons"),
            )  # fmt: skip
            self._faults = Faults(
                self._around, self._api, self._service, self._dice.stream("faults"), burst=self._persons.import_some
            )
            self._checks = Checks(self._around, self._service)
            self._meter = Meter(self._api, self._service, self._checks.conn)
            try:
                async with trio.open_nursery() as whole:
                    whole.start_soon(self._service.run)
                    whole.start_soon(self._scheduler)
                    await self._lifetime()
                    await self._come_to_rest()
                    whole.cancel_scope.cancel()
                self._judge()
            finally:
                self._checks.close()

    async def _lifetime(self) -> None:
        seconds = self._days * DAY
        for name, host in self._around.network.hosts.items():
            if isinstance(host, Feeding):
                await self._api.store.feeds.add(f"http://{name}/feed", interval_seconds=int(6 * HOUR))
        async with trio.open_nursery() as lifetime:
            lifetime.start_soon(self._persons.live, seconds)
            lifetime.start_soon(self._persons.import_now_and_then, seconds)
            lifetime.start_soon(self._meter.watch, seconds)
            lifetime.start_soon(self._look_hourly, seconds)
            for fault, every in self._faults.calendar():
                lifetime.start_soon(self._faults.befall, fault, every, seconds)

    async def _scheduler(self) -> None:
        """The timer: polls that are due every five minutes, the sweep at each hour."""
        round_number = 0
        while True:
            try:
                if not self._rested and await self._api.store.feeds.queue_due():
                    self._service.ring()
                if round_number % 12 == 0:
                    swept = await self._api.store.status.sweep()
                    if swept.drift:
                        self._faults_found.append(
                            f"counts drifted by {swept.drift} (day {trio.current_time() / DAY:.3f})"
                        )
            except (StoreBusy, StoreFull):
                pass  # the next round comes
            round_number += 1
            await trio.sleep(5 * MINUTE)

    async def _look_hourly(self, seconds: float) -> None:
        end = trio.current_time() + seconds
        hour = 0
        while trio.current_time() + HOUR <= end:
            await trio.sleep(HOUR)
            hour += 1
            self._checks.moment(self._persons.acknowledged, paced=self._is_steady())
            if hour % 24 == 0:
                self._checks.effects()

    def _is_steady(self) -> bool:
        """Whether the worker has been up, and the store writable, for longer than anything may be late."""
        up, machine = self._service.up_since, self._around.machine
        return up is not None and trio.current_time() - up > HOUR and not machine.is_low

    def _after_death(self, _why: str) -> None:
        self._around.network.forget(since=trio.current_time() - 60)
        self._checks.moment(self._persons.acknowledged, paced=False)

    async def _come_to_rest(self) -> None:
        self._rested = True
        self._around.clock.wrong_ms = 0
        until = trio.current_time() + AFTERWARDS_DAYS * DAY
        while trio.current_time() < until:
            await trio.sleep(HOUR)
            depth = await self._api.store.queue.depth()
            if depth.backlog == 0:
                return

    def _judge(self) -> None:
        self._checks.moment(self._persons.acknowledged)
        self._checks.end()
        conn = apsw.Connection(str(self._folder / "atlas.db"), flags=apsw.SQLITE_OPEN_READONLY)
        state = "iif(deleted_at IS NULL, state, 'deleted')"
        self._accepted = conn.execute("SELECT n FROM totals WHERE name = 'accepted'").get
        self._fed = conn.execute("SELECT count(*) FROM items WHERE source LIKE 'feed:%'").get
        self._copies = conn.execute("SELECT count(*) FROM captures WHERE provider = 'wayback'").get
        self._items = dict(conn.execute(f"SELECT {state}, count(*) FROM items GROUP BY 1").fetchall())  # type: ignore[arg-type]
        self._codes = dict(
            conn.execute("SELECT reason ->> 'code', count(*) FROM items WHERE state = 'dead' GROUP BY 1").fetchall()  # type: ignore[arg-type]
        )
        for row in conn.execute("SELECT item_id, code, at, method, error FROM steps ORDER BY id"):
            self._around.trace.note(0, "step", row)
        conn.close()

    def report(self, seed: int, seconds: float) -> Report:
        trace = self._around.trace
        return Report(
            seed=seed,
            days=self._days,
            saves=trace.counts["save"],
            again=self._persons.again,
            fed=self._fed,
            copies=self._copies,
            accepted=self._accepted,
            items=self._items,
            codes=self._codes,
            deaths=len(self._service.ends),
            happened=dict(Counter(self._faults.happened)),
            ends=tuple(why for why in self._service.ends if why != "killed"),
            requests=self._around.network.requests,
            refused=self._persons.refused,
            checks=self._checks.made,
            availability=self._meter.availability(0.0, self._days * DAY),
            why=self._meter.why,
            digest=trace.hexdigest(),
            seconds=seconds,
            faults=(
                *self._faults_found,
                *self._checks.faults,
                *self._meter.faults,
                *self._around.network.faults[:10],
                *self._around.journal.bugs[:10],
            ),
        )
