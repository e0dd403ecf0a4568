"""Supervisors below supervisors: failing upwards, starting afresh, being seen."""

from __future__ import annotations

import pytest
import trio

from supervisor.child import Happening, Hopeless, Life, Restart, Strategy, SupervisorGaveUp
from supervisor.tree import Supervisor, supervise
from tests.unit.supervisor.trees import Part, World, running, settle


async def test_a_spent_budget_is_one_crash_for_the_supervisor_above(autojump_clock) -> None:
    world, leaf, neighbour = World(), Part("leaf"), Part("neighbour")
    inner = Supervisor("inner", [leaf.spec()], max_restarts=1)
    async with running(Supervisor("root", [neighbour.spec(), inner]), world):
        for _ in range(2):
            leaf.crash()
            await settle(1)
        assert world.told("root/inner") == ["start", "give_up", "crash", "restart"]
        assert leaf.running
        assert neighbour.runs == 1


async def test_a_restarted_supervisor_has_its_whole_budget_again(autojump_clock) -> None:
    leaf = Part("leaf")
    inner = Supervisor("inner", [leaf.spec()], max_restarts=1)
    async with running(Supervisor("root", [inner]), World()):
        for _ in range(3):
            leaf.crash()
            await settle(1)
        assert leaf.runs == 4


async def test_crashes_below_climb_to_the_root_when_every_budget_is_spent(autojump_clock) -> None:
    leaf, world = Part("leaf"), World()
    middle = Supervisor("middle", [Supervisor("inner", [leaf.spec()], max_restarts=1)], max_restarts=1)
    root = Supervisor("root", [middle], max_restarts=0)
    with pytest.RaisesGroup(SupervisorGaveUp):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, root, world.hooks)
            for _ in range(4):
                await settle(1)
                leaf.crash()
    assert leaf.runs == 4
    assert world.of(Happening.GIVE_UP) == [
        "root/middle/inner",
        "root/middle/inner",
        "root/middle",
        "root",
    ]


async def test_the_next_child_waits_until_the_whole_supervisor_before_it_is_up(autojump_clock) -> None:
    log: list[str] = []
    slow, after = Part("slow", log), Part("after", log)
    slow.crashes_at_start = 1
    root = Supervisor("root", [Supervisor("inner", [Part("quick", log).spec(), slow.spec()]), after.spec()])
    async with running(root, World()):
        assert "+after" not in log
        await settle(1)
        assert log == ["+quick", "+slow", "-slow", "+slow", "+after"]


async def test_a_hopeless_child_takes_the_whole_tree_down_at_once(autojump_clock) -> None:
    leaf, world = Part("leaf"), World()
    root = Supervisor("root", [Supervisor("inner", [leaf.spec(Restart.TEMPORARY)])])
    with pytest.RaisesGroup(SupervisorGaveUp) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, root, world.hooks)
            await settle()
            leaf.crash(ExceptionGroup("wrapped", [Hopeless("the configuration is wrong", exit_code=78)]))
    failure = caught.value.exceptions[0]
    assert isinstance(failure, SupervisorGaveUp)
    assert failure.hopeless is not None
    assert failure.hopeless.exit_code == 78
    assert leaf.runs == 1


async def test_a_part_that_was_stopped_stays_stopped(autojump_clock) -> None:
    leaf, neighbour = Part("leaf"), Part("neighbour")
    inner = Supervisor("inner", [leaf.spec()])
    root = Supervisor("root", [inner, neighbour.spec()], strategy=Strategy.ONE_FOR_ALL)
    async with running(root, World()):
        await inner.stop()
        await settle(10)
        assert not leaf.running
        neighbour.crash()
        await settle(10)
        assert (leaf.runs, neighbour.runs) == (1, 2)
        assert [child.state for child in root.snapshot().children] == [Life.STOPPED, Life.RUNNING]


async def test_the_snapshot_shows_the_tree_with_states_counts_and_last_errors(autojump_clock) -> None:
    leaf, calm = Part("leaf"), Part("calm")
    root = Supervisor("root", [Supervisor("inner", [leaf.spec()]), calm.spec()])
    async with running(root, World()):
        begin = trio.current_time()
        await settle(5)
        leaf.crash(ValueError("bad luck"))
        await settle(5)
        inner, seen_calm = root.snapshot().children
        seen_leaf = inner.children[0]
        assert (root.snapshot().kind, inner.kind, seen_leaf.kind) == ("supervisor", "supervisor", "task")
        assert (seen_leaf.name, seen_leaf.state, seen_leaf.restarts) == ("leaf", Life.RUNNING, 1)
        assert seen_leaf.last_error == "ValueError: bad luck [e1]"
        assert seen_leaf.since == pytest.approx(begin + 5.1)
        assert (seen_calm.restarts, seen_calm.last_error, seen_calm.since) == (0, None, begin)


async def test_counters_outlive_the_restart_of_the_supervisor_above(autojump_clock) -> None:
    leaf = Part("leaf")
    inner = Supervisor("inner", [leaf.spec()], max_restarts=0)
    root = Supervisor("root", [inner])
    async with running(root, World()):
        leaf.crash()
        await settle(1)
        seen = root.snapshot().children[0]
        assert (seen.restarts, seen.children[0].restarts) == (1, 1)
        assert seen.last_error is not None
        assert "gave up" in seen.last_error


def test_a_tree_that_does_not_run_yet_can_be_looked_at() -> None:
    assert Supervisor("root", [Part("a").spec()]).snapshot().state is Life.STARTING
