"""How a tree ends: in reverse order, each child within its deadline, nothing left behind."""

from __future__ import annotations

import gc
import weakref

import pytest
import trio
import trio.testing

from supervisor.child import ChildSpec, Happening, Life, Restart, Started, Strategy, SupervisorGaveUp
from supervisor.tree import Supervisor, supervise
from tests.unit.supervisor.trees import Part, World, running, settle


def nested_tree(log: list[str], **fields) -> Supervisor:
    inner = Supervisor("inner", [Part("b", log, **fields).spec(), Part("c", log, **fields).spec()])
    return Supervisor("root", [Part("a", log, **fields).spec(), inner, Part("d", log, **fields).spec()])


async def test_a_stop_ends_the_children_in_reverse_order_through_the_whole_tree(autojump_clock):
    log: list[str] = []
    root = nested_tree(log, slow_stop=1.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervise, root, World().hooks)
        await settle()
        await root.stop()
    assert log == ["+a", "+b", "+c", "+d", "-d", "-c", "-b", "-a"]
    assert root.snapshot().state is Life.STOPPED
    assert all(child.state is Life.STOPPED for child in root.snapshot().children)


async def test_a_cancellation_from_outside_ends_the_children_in_the_same_order(autojump_clock):
    log: list[str] = []
    async with running(nested_tree(log, slow_stop=1.0), World()):
        pass
    assert log[4:] == ["-d", "-c", "-b", "-a"]


async def test_the_next_child_is_cancelled_only_when_the_one_after_it_has_ended(autojump_clock):
    store_was_there: list[bool] = []
    store = Part("store")

    async def user(started: Started) -> None:
        started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)
            store_was_there.append(store.running)

    async with running(Supervisor("root", [store.spec(), ChildSpec(name="user", start=user)]), World()):
        pass
    assert store_was_there == [True]


async def test_a_stop_reports_each_child_once_and_no_crash(autojump_clock):
    world = World()
    async with running(nested_tree([]), world):
        pass
    assert world.of(Happening.STOP) == ["root/d", "root/inner/c", "root/inner/b", "root/inner", "root/a"]
    assert not world.of(Happening.CRASH)


async def test_an_error_while_stopping_is_reported_and_the_stop_goes_on(autojump_clock):
    world, a = World(), Part("a")

    async def clumsy(started: Started) -> None:
        started()
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("cannot clean up")

    async with running(Supervisor("root", [a.spec(), ChildSpec(name="clumsy", start=clumsy)]), world):
        pass
    assert world.of(Happening.CRASH) == ["root/clumsy"]
    assert not a.running


async def test_a_child_that_waits_for_its_restart_is_not_started_by_a_stop(autojump_clock):
    part = Part("a")
    root = Supervisor("root", [part.spec()])
    async with running(root, World()):
        part.crash()
        await settle()
        await root.stop()
        await settle(10)
    assert part.runs == 1
    assert root.snapshot().children[0].state is Life.STOPPED


async def test_a_stop_while_children_start_stops_those_that_run(autojump_clock):
    log: list[str] = []
    root = Supervisor("root", [Part("a", log).spec(), Part("b", log, up=False).spec(), Part("c", log).spec()])
    async with running(root, World()):
        await root.stop()
    assert log == ["+a", "+b", "-b", "-a"]


async def test_a_tree_stopped_before_it_ran_starts_nothing(autojump_clock):
    part = Part("a")
    root = Supervisor("root", [part.spec()])
    await root.stop()
    await supervise(root, World().hooks)
    assert part.runs == 0


async def test_an_exit_raised_below_ends_the_whole_tree_in_order(autojump_clock):
    log: list[str] = []
    a, b = Part("a", log), Part("b", log)
    with pytest.RaisesGroup(SystemExit, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, Supervisor("root", [a.spec(), b.spec()]), World().hooks)
            await settle()
            a.crash(SystemExit(3))
    assert log == ["+a", "+b", "-a", "-b"]


async def test_an_ended_child_does_not_keep_what_it_had_in_hand(autojump_clock):
    class Page:
        pass

    pages: list[weakref.ref[Page]] = []

    async def start(started: Started) -> None:
        page = Page()
        pages.append(weakref.ref(page))
        raise ValueError("cannot read it")

    world = World()
    async with running(Supervisor("root", [ChildSpec(name="a", start=start, restart=Restart.TEMPORARY)]), world):
        assert world.of(Happening.CRASH)
        world.events.clear()
        gc.collect()
        assert pages[0]() is None


# Those who refuse to die


def stubborn(world: World) -> ChildSpec:
    async def start(started: Started) -> None:
        started()
        with trio.CancelScope(shield=True):
            await world.free.wait()

    return ChildSpec(name="stubborn", start=start, shutdown=7)


async def test_a_child_that_does_not_end_in_its_time_escalates_and_the_others_are_stopped(autojump_clock):
    world, before, after = World(), Part("before"), Part("after")
    root = Supervisor("root", [before.spec(), stubborn(world), after.spec()])
    async with running(root, world):
        begin = trio.current_time()
    assert world.stuck == ["root/stubborn"]
    assert trio.current_time() - begin == pytest.approx(7)
    assert not before.running
    assert not after.running
    assert world.told("root/stubborn") == ["start", "crash"]
    assert world.told("root") == ["give_up"]


async def test_a_stuck_neighbour_of_a_crashed_child_fails_the_supervisor(autojump_clock):
    world, part = World(), Part("a")
    root = Supervisor("root", [part.spec(), stubborn(world)], strategy=Strategy.ONE_FOR_ALL)
    with pytest.RaisesGroup(SupervisorGaveUp):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, root, world.hooks)
            await settle()
            part.crash()
    assert world.stuck == ["root/stubborn"]
    assert part.runs == 1


async def test_a_slow_child_has_its_own_deadline(autojump_clock):
    world = World()
    root = Supervisor("root", [Part("slow", slow_stop=20).spec(shutdown=21), Part("quick").spec(shutdown=1)])
    async with running(root, world):
        begin = trio.current_time()
    assert trio.current_time() - begin == pytest.approx(20)
    assert not world.stuck


# Draining


def draining(seconds: float, log: list[str]) -> tuple[Supervisor, trio.Event]:
    closed = trio.Event()

    async def slot(started: Started) -> None:
        started()
        await closed.wait()
        await trio.sleep(3)
        log.append("finished")

    def drain() -> float:
        closed.set()
        return seconds

    slots = [ChildSpec(name=f"slot{number}", start=slot) for number in range(2)]
    return Supervisor("stage", slots, drain=drain), closed


async def test_a_drained_part_finishes_its_work_by_itself(autojump_clock):
    log: list[str] = []
    stage, _ = draining(10, log)
    async with running(Supervisor("root", [stage]), World()):
        begin = trio.current_time()
    assert log == ["finished", "finished"]
    assert trio.current_time() - begin == pytest.approx(3)


async def test_a_drain_ends_when_the_last_task_anywhere_below_has(autojump_clock):
    """A supervisor below lives on when its tasks have ended well: it must not keep the drain waiting."""
    log: list[str] = []
    closed = trio.Event()

    async def slot(started: Started) -> None:
        started()
        await closed.wait()
        await trio.sleep(3)
        log.append("finished")
        if log == ["finished"]:
            raise RuntimeError("the first one crashes, and is started again to see that it is over")

    def drain() -> float:
        closed.set()
        return 1000

    stages = [
        Supervisor(name, [ChildSpec(name="slot", start=slot, restart=Restart.TRANSIENT)]) for name in ("sink", "source")
    ]
    async with running(Supervisor("root", [Supervisor("pipeline", stages, drain=drain)]), World()):
        begin = trio.current_time()
    assert log == ["finished"] * 3
    assert trio.current_time() - begin == pytest.approx(6.1)


async def test_a_drain_that_takes_too_long_ends_in_a_cancellation(autojump_clock):
    log: list[str] = []
    stage, _ = draining(2, log)
    async with running(Supervisor("root", [stage]), World()):
        begin = trio.current_time()
    assert log == []
    assert trio.current_time() - begin == pytest.approx(2)


async def test_a_hurry_cuts_the_drain_short(autojump_clock):
    log: list[str] = []
    stage, closed = draining(1000, log)
    root = Supervisor("root", [stage])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervise, root, World().hooks)
        await settle()
        begin = trio.current_time()
        nursery.start_soon(root.stop)
        await closed.wait()
        await settle(1)
        root.hurry()
    assert log == []
    assert trio.current_time() - begin == pytest.approx(1)


async def test_parts_are_drained_one_after_the_other_source_first(autojump_clock):
    log: list[str] = []

    def part(name: str) -> Supervisor:
        def drain() -> float:
            log.append(f"drain {name}")
            return 0.0

        return Supervisor(name, [Part(f"{name} slot", log).spec()], drain=drain)

    async with running(Supervisor("root", [part("sink"), part("source")]), World()):
        log.clear()
    assert log == ["drain source", "-source slot", "drain sink", "-sink slot"]


async def test_a_part_that_has_failed_is_not_drained(autojump_clock):
    stage, closed = draining(1000, [])
    part = Part("a")
    root = Supervisor("root", [Supervisor("inner", [part.spec()], max_restarts=0), stage], max_restarts=0)
    with pytest.RaisesGroup(SupervisorGaveUp):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, root, World().hooks)
            await settle()
            part.crash()
            await settle()
            assert closed.is_set()  # the healthy neighbour is
            assert not part.running
