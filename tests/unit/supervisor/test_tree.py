"""OTP's rules, one test each, on the fake clock."""

from __future__ import annotations

import pytest
import trio

from supervisor.child import Happening, Life, Restart, Strategy, SupervisorGaveUp, at_once
from supervisor.tree import Supervisor, supervise
from tests.unit.supervisor.trees import Part, World, running, settle


def three(log: list[str] | None = None, **fields) -> tuple[Part, Part, Part]:
    return Part("a", log, **fields), Part("b", log, **fields), Part("c", log, **fields)


# Starting


async def test_children_start_in_order(autojump_clock) -> None:
    log: list[str] = []
    async with running(Supervisor("root", [part.spec() for part in three(log)]), World()):
        assert log == ["+a", "+b", "+c"]


async def test_the_next_child_starts_only_when_the_one_before_says_it_is_up(autojump_clock) -> None:
    world, first, second = World(), Part("first", up=False), Part("second")
    release = trio.Event()

    async def slow(started) -> None:
        await release.wait()
        started()
        await first.start(lambda: None)

    spec = first.spec()
    root = Supervisor("root", [type(spec)(name="first", start=slow), second.spec()])
    async with running(root, world):
        assert not second.running
        assert root.snapshot().state is Life.STARTING
        release.set()
        await settle()
        assert second.running
        assert root.snapshot().state is Life.RUNNING


async def test_the_supervisor_is_up_when_all_its_children_are(autojump_clock) -> None:
    ups: list[float] = []
    part = Part("a")
    part.crashes_at_start = 2
    async with trio.open_nursery() as nursery:
        root = Supervisor("root", [part.spec()])
        nursery.start_soon(lambda: supervise(root, World().hooks, started=lambda: ups.append(trio.current_time())))
        await settle(10)
        assert len(ups) == 1
        nursery.cancel_scope.cancel()


async def test_a_child_that_crashes_before_it_is_up_is_tried_again_and_holds_up_those_after_it(autojump_clock) -> None:
    world, (a, b, _) = World(), three()
    a.crashes_at_start = 2
    async with running(Supervisor("root", [a.spec(), b.spec()]), world):
        assert (a.running, b.running) == (False, False)
        await settle(0.31)
        assert (a.running, b.running) == (True, True)
        assert a.runs == 3


async def test_a_child_that_is_not_up_in_time_is_cancelled_and_counted_as_crashed(autojump_clock) -> None:
    world, part = World(), Part("a", up=False)
    async with running(Supervisor("root", [part.spec(start_within=3)]), world):
        await settle(2.9)
        assert world.told("root/a") == ["start"]
        await settle(0.3)
        assert world.told("root/a") == ["start", "crash", "restart"]


async def test_a_one_shot_child_is_done_before_the_next_one_starts(autojump_clock) -> None:
    log: list[str] = []
    migrate, serve = Part("migrate", log, up=False), Part("serve", log)
    async with running(Supervisor("root", [migrate.spec(Restart.TEMPORARY), serve.spec()]), World()):
        assert log == ["+migrate"]
        migrate.end()
        await settle()
        assert log == ["+migrate", "-migrate", "+serve"]


async def test_at_once_makes_a_child_of_a_plain_function(autojump_clock) -> None:
    async def work() -> None:
        await trio.sleep_forever()

    spec = Part("a").spec()
    root = Supervisor("root", [type(spec)(name="plain", start=at_once(work))])
    async with running(root, World()):
        assert root.snapshot().children[0].state is Life.RUNNING


def test_two_children_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        Supervisor("root", [Part("a").spec(), Part("a").spec()])


# Restart types


@pytest.mark.parametrize(
    ("restart", "after_crash", "after_end"),
    [(Restart.PERMANENT, 2, 2), (Restart.TRANSIENT, 2, 1), (Restart.TEMPORARY, 1, 1)],
)
async def test_what_ends_comes_back_as_its_restart_type_says(
    autojump_clock, restart, after_crash: int, after_end: int
) -> None:
    crashing, ending = Part("crashing"), Part("ending")
    root = Supervisor("root", [crashing.spec(restart), ending.spec(restart)])
    async with running(root, World()):
        crashing.crash()
        ending.end()
        await settle(1)
        assert (crashing.runs, ending.runs) == (after_crash, after_end)


async def test_a_child_that_does_not_come_back_shows_how_it_ended(autojump_clock) -> None:
    crashing, ending = Part("crashing"), Part("ending")
    root = Supervisor("root", [crashing.spec(Restart.TEMPORARY), ending.spec(Restart.TRANSIENT)])
    async with running(root, World()):
        crashing.crash()
        ending.end()
        await settle(1)
        assert [child.state for child in root.snapshot().children] == [Life.FAILED, Life.STOPPED]


async def test_a_group_of_errors_is_a_crash_like_any(autojump_clock) -> None:
    world, part = World(), Part("a")
    async with running(Supervisor("root", [part.spec()]), world):
        part.crash(ExceptionGroup("two at once", [ValueError("x"), OSError("y")]))
        await settle(1)
        assert world.told("root/a") == ["start", "crash", "restart"]


# Strategies


async def crash_b(strategy: Strategy, c_restart: Restart = Restart.PERMANENT) -> tuple[list[str], World]:
    log: list[str] = []
    world, (a, b, c) = World(), three(log)
    async with running(Supervisor("root", [a.spec(), b.spec(), c.spec(c_restart)], strategy=strategy), world):
        log.clear()
        b.crash()
        await settle(1)
        seen = list(log)
    return seen, world


async def test_one_for_one_restarts_the_crashed_child_only(autojump_clock) -> None:
    log, _ = await crash_b(Strategy.ONE_FOR_ONE)
    assert log == ["-b", "+b"]


async def test_rest_for_one_restarts_the_crashed_child_and_those_started_after_it(autojump_clock) -> None:
    log, _ = await crash_b(Strategy.REST_FOR_ONE)
    assert log == ["-b", "-c", "+b", "+c"]


async def test_one_for_all_restarts_all_in_order_after_stopping_them_in_reverse_order(autojump_clock) -> None:
    log, world = await crash_b(Strategy.ONE_FOR_ALL)
    assert log == ["-b", "-c", "-a", "+a", "+b", "+c"]
    assert world.of(Happening.RESTART) == ["root/a", "root/b", "root/c"]


async def test_a_temporary_child_stopped_with_its_neighbours_does_not_come_back(autojump_clock) -> None:
    log, _ = await crash_b(Strategy.ONE_FOR_ALL, Restart.TEMPORARY)
    assert log == ["-b", "-c", "-a", "+a", "+b"]


async def test_a_restart_of_a_group_is_one_crash_of_the_budget(autojump_clock) -> None:
    a, b, c = three()
    root = Supervisor("root", [x.spec() for x in (a, b, c)], strategy=Strategy.ONE_FOR_ALL, max_restarts=2)
    async with running(root, World()):
        for _ in range(2):
            b.crash()
            await settle(5)
        assert (a.runs, b.runs, c.runs) == (3, 3, 3)


async def test_a_crash_while_a_group_waits_to_restart_restarts_the_wider_group_in_order(autojump_clock) -> None:
    log: list[str] = []
    a, b, c = three(log)
    root = Supervisor("root", [x.spec() for x in (a, b, c)], strategy=Strategy.REST_FOR_ONE)
    async with running(root, World()):
        log.clear()
        b.crash()
        await settle()
        a.crash()
        await settle(1)
        assert log == ["-b", "-c", "-a", "+a", "+b", "+c"]


async def test_two_that_crash_together_are_both_reported(autojump_clock) -> None:
    world, (a, b, _) = World(), three()
    async with running(Supervisor("root", [a.spec(), b.spec()], strategy=Strategy.ONE_FOR_ALL), world):
        a.crash()
        b.crash()
        await settle(1)
        assert sorted(world.of(Happening.CRASH)) == ["root/a", "root/b"]
        assert (a.runs, b.runs) == (2, 2)


# Back-off and budget


async def test_a_crashed_child_waits_for_its_back_off_and_the_wait_grows(autojump_clock) -> None:
    world, part = World(), Part("a")
    root = Supervisor("root", [part.spec()])
    async with running(root, world):
        for _ in range(3):
            part.crash()
            await settle(5)
        delays = [event.delay for event in world.events if event.kind is Happening.CRASH]
        assert delays == pytest.approx([0.1, 0.2, 0.4])
        part.crash()
        await settle(0.79)
        assert root.snapshot().children[0].state is Life.BACKING_OFF
        await settle(0.02)
        assert root.snapshot().children[0].state is Life.RUNNING


async def test_a_neighbour_is_restarted_while_another_one_backs_off(autojump_clock) -> None:
    a, b, _ = three()
    async with running(Supervisor("root", [a.spec(), b.spec()], max_restarts=9), World()):
        for _ in range(4):
            a.crash()
            await settle(1)
        a.crash()  # backs off for 1.6 s
        b.crash()
        await settle(0.2)
        assert (a.running, b.running) == (False, True)


async def run_and_crash(times: int, every: float, **budget) -> Part:
    part = Part("a")
    async with trio.open_nursery() as nursery:
        root = Supervisor("root", [part.spec()], **budget)
        nursery.start_soon(supervise, root, World().hooks)
        for _ in range(times):
            await settle(every)
            part.crash()
        await settle(every)
        nursery.cancel_scope.cancel()
    return part


async def test_as_many_crashes_as_the_budget_allows_are_survived(autojump_clock) -> None:
    part = await run_and_crash(5, 4, max_restarts=5, within=30)
    assert part.runs == 6


async def test_one_crash_more_than_the_budget_allows_fails_the_supervisor(autojump_clock) -> None:
    with pytest.RaisesGroup(SupervisorGaveUp):
        await run_and_crash(6, 4, max_restarts=5, within=30)


async def test_crashes_far_apart_never_spend_the_budget(autojump_clock) -> None:
    part = await run_and_crash(40, 31, max_restarts=1, within=30)
    assert part.runs == 41


async def test_the_failure_carries_the_error_that_was_one_too_many_and_is_reported(autojump_clock) -> None:
    world, part = World(), Part("a")
    with pytest.RaisesGroup(SupervisorGaveUp) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, Supervisor("root", [part.spec()], max_restarts=0), world.hooks)
            await settle()
            part.crash(KeyError("the cause"))
    assert isinstance(caught.value.exceptions[0].__cause__, KeyError)
    assert [(event.kind, event.path, event.delay) for event in world.events[1:]] == [
        (Happening.CRASH, "root/a", None),
        (Happening.GIVE_UP, "root", None),
    ]
    assert all(event.error_id for event in world.events[1:])


async def test_a_supervisor_that_fails_stops_its_other_children_in_reverse_order(autojump_clock) -> None:
    log: list[str] = []
    a, b, c = three(log)
    with pytest.RaisesGroup(SupervisorGaveUp):
        async with trio.open_nursery() as nursery:
            root = Supervisor("root", [x.spec() for x in (a, b, c)], max_restarts=0)
            nursery.start_soon(supervise, root, World().hooks)
            await settle()
            log.clear()
            a.crash()
    assert log == ["-a", "-c", "-b"]
    assert root.snapshot().state is Life.FAILED
