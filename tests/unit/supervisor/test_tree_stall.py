"""Stall detection: what is stuck is cancelled and restarted alone."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from pipeline.flow.pulse import Pulse
from supervisor.child import ChildSpec, Happening, Restart, Started, SupervisorGaveUp
from supervisor.tree import Supervisor, supervise
from tests.unit.supervisor.trees import Part, World, running, settle


class Slot:
    """Beats every second, except for when it was told to hang."""

    def __init__(self, name: str, *, slow_stop: float = 0.0, swallow: Exception | None = None) -> None:
        self.name = name
        self.pulse = Pulse()
        self.runs = 0
        self.hangs = False
        self.slow_stop = slow_stop
        self.swallow = swallow
        self.stalled_when_cancelled: bool | None = None

    def spec(self, **fields) -> ChildSpec:
        return ChildSpec(name=self.name, start=self.start, pulse=self.pulse, **fields)

    async def start(self, started: Started) -> None:
        self.runs += 1
        self.hangs = False
        started()
        self.pulse.expect(10)
        try:
            while not self.hangs:
                await trio.sleep(1)
                self.pulse.beat()
            await trio.sleep_forever()
        finally:
            self.stalled_when_cancelled = self.pulse.stalled
            with trio.CancelScope(shield=True):
                await trio.sleep(self.slow_stop)
            if self.swallow:
                raise self.swallow


async def test_a_child_that_misses_its_beat_is_cancelled_and_restarted(autojump_clock):
    world, slot = World(), Slot("slot")
    async with running(Supervisor("root", [slot.spec()]), world):
        await settle(30)
        slot.hangs = True
        await settle(9)
        assert slot.runs == 1
        await settle(5)
        assert slot.runs == 2
        assert world.told("root/slot") == ["start", "stall", "restart"]
        await settle(100)
        assert slot.runs == 2


async def test_a_stall_is_found_within_about_a_second(autojump_clock):
    world, slot = World(), Slot("slot")
    async with running(Supervisor("root", [slot.spec()]), world):
        await settle(30)
        slot.hangs = True
        await settle(10)  # the last beat is up to a second old or comes within one
        assert not world.of(Happening.STALL)
        await settle(2.1)
        assert world.of(Happening.STALL) == ["root/slot"]


async def test_a_stall_of_one_slot_does_not_disturb_its_neighbours(autojump_clock):
    world, slots = World(), [Slot(f"slot{number}") for number in range(4)]
    async with running(Supervisor("root", [slot.spec() for slot in slots]), world):
        await settle(5)
        slots[2].hangs = True
        await settle(60)
        assert [slot.runs for slot in slots] == [1, 1, 2, 1]
        assert world.of(Happening.STALL) == ["root/slot2"]


async def test_a_stalled_child_can_tell_a_stall_from_a_stop(autojump_clock):
    stuck, calm = Slot("stuck"), Slot("calm")
    async with running(Supervisor("root", [stuck.spec(), calm.spec()]), World()):
        await settle(5)
        stuck.hangs = True
        await settle(15)
        assert stuck.stalled_when_cancelled is True
        assert not stuck.pulse.stalled
    assert calm.stalled_when_cancelled is False


async def test_a_stall_is_counted_and_kept_as_the_last_error(autojump_clock):
    world, slot = World(), Slot("slot")
    root = Supervisor("root", [slot.spec()])
    async with running(root, world):
        slot.hangs = True
        await settle(20)
        seen = root.snapshot().children[0]
        assert (seen.stalls, seen.restarts) == (1, 1)
        assert seen.last_error is not None
        assert seen.last_error.startswith("ChildStalled")


async def test_stalls_spend_the_same_budget_as_crashes(autojump_clock):
    world, slot = World(), Slot("slot")
    with pytest.RaisesGroup(SupervisorGaveUp):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, Supervisor("root", [slot.spec()], max_restarts=1), world.hooks)
            for _ in range(3):
                await settle(0.5)
                slot.hangs = True
                await settle(12)
    assert slot.runs == 2


async def test_a_transient_child_comes_back_after_a_stall_and_a_temporary_one_does_not(autojump_clock):
    transient, temporary = Slot("transient"), Slot("temporary")
    root = Supervisor("root", [transient.spec(restart=Restart.TRANSIENT), temporary.spec(restart=Restart.TEMPORARY)])
    async with running(root, World()):
        await settle(1)
        transient.hangs = temporary.hangs = True
        await settle(30)
        assert (transient.runs, temporary.runs) == (2, 1)


async def test_a_stalled_child_is_restarted_only_after_it_has_really_ended(autojump_clock):
    slot = Slot("slot", slow_stop=4)
    async with running(Supervisor("root", [slot.spec(shutdown=5)]), World()):
        slot.hangs = True
        await settle(13)
        assert slot.runs == 1
        await settle(5)
        assert slot.runs == 2


async def test_an_error_raised_by_a_stalled_child_is_reported_too_and_counts_once(autojump_clock):
    world, slot = World(), Slot("slot", swallow=OSError("gone"))
    root = Supervisor("root", [slot.spec()], max_restarts=1)
    async with running(root, world):
        slot.hangs = True
        await settle(20)
        assert world.told("root/slot") == ["start", "stall", "crash", "restart"]
        slot.swallow = None


async def test_a_stalled_child_that_does_not_end_is_stuck(autojump_clock):
    world = World()

    async def deaf(started: Started) -> None:
        started()
        pulse.expect(10)
        with trio.CancelScope(shield=True):
            await world.free.wait()

    pulse = Pulse()
    root = Supervisor("root", [ChildSpec(name="deaf", start=deaf, pulse=pulse, shutdown=5)])
    with pytest.RaisesGroup(SupervisorGaveUp):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, root, world.hooks)
    assert world.stuck == ["root/deaf"]


async def test_nothing_wakes_up_for_children_without_a_pulse(autojump_clock):
    async with running(Supervisor("root", [Part("a").spec()]), World()):
        await settle()
        wakes = trio.lowlevel.current_statistics().seconds_to_next_deadline
        assert wakes == float("inf")
