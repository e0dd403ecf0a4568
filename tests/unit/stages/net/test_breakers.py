"""Breakers at work: who is let through, what is learnt from the end of a request, and what the store is told."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from pipeline import errors
from pipeline.breaker import Breaker, BreakerState
from pipeline.settings import BreakerSettings
from stages.net import breakers as module
from stages.net.breakers import PROBE_SECONDS, Breakers

NAME = "host:example.org"
NOW = 1_795_435_200_000


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wall_ms(self) -> int:
        return NOW + round(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


class Notebook:
    """A book in memory that can be slow or refuse."""

    def __init__(self) -> None:
        self.kept: dict[str, Breaker] = {}
        self.refusal: Exception | None = None
        self.hold_up: trio.Event | None = None
        self.saves = 0

    async def all(self) -> tuple[Breaker, ...]:
        return tuple(self.kept.values())

    async def save(self, breaker: Breaker) -> None:
        self.saves += 1
        if self.refusal is not None:
            raise self.refusal
        if self.hold_up is not None:
            await self.hold_up.wait()
        if breaker.is_fresh:
            self.kept.pop(breaker.name, None)
        else:
            self.kept[breaker.name] = breaker


class World:
    def __init__(self) -> None:
        self.book, self.clock = Notebook(), HandClock()
        self.breakers = self.started()

    def started(self) -> Breakers:
        return Breakers(self.book, BreakerSettings(), clock=self.clock)

    async def fail(self, times: int = 1, error: Exception | None = None) -> None:
        for _ in range(times):
            failure = error or errors.FetchTimeout("too slow")
            with pytest.raises(type(failure)):
                async with self.breakers.passing(NAME):
                    raise failure

    async def succeed(self) -> None:
        async with self.breakers.passing(NAME):
            pass

    async def is_open(self) -> bool:
        try:
            await self.succeed()
        except errors.BreakerOpen:
            return True
        return False


@pytest.fixture
def world() -> World:
    return World()


async def test_five_failures_in_a_row_open_it_and_others_stay_closed(world: World) -> None:
    await world.fail(4)
    await world.succeed()
    await world.fail(5)
    assert await world.is_open()
    async with world.breakers.passing("host:example.com"):
        pass


@pytest.mark.parametrize(
    "error",
    [
        errors.AddressDenied("private"),
        errors.BodyTooLarge("too much"),
        errors.BadUrl("no URL"),
        errors.RedirectRefused("in a circle"),
        errors.RobotsDenied("no"),
        errors.RateLimited("our own pace", retry_after=1),
        ValueError("a fault of ours"),
    ],
)
async def test_what_we_refuse_ourselves_says_nothing_about_the_host(world: World, error: Exception) -> None:
    await world.fail(20, error)
    assert not await world.is_open()
    assert world.book.saves == 0


async def test_of_a_hundred_that_ask_at_once_exactly_one_is_the_probe(world: World) -> None:
    await world.fail(5)
    world.clock.seconds += 60
    at_once = most = refused = 0
    waits: list[float] = []
    answer = trio.Event()

    async def ask() -> None:
        nonlocal at_once, most, refused
        try:
            async with world.breakers.passing(NAME):
                at_once += 1
                most = max(most, at_once)
                await answer.wait()
                at_once -= 1
        except errors.BreakerOpen as error:
            refused += 1
            waits.append(error.retry_after)

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert (most, refused) == (1, 99)
        world.clock.seconds += 3600  # however long the probe takes, there is no second one
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert (most, refused) == (1, 100)
        answer.set()
    assert min(waits) >= PROBE_SECONDS
    assert world.breakers.wait_seconds(NAME) == 0
    await world.succeed()  # the second good one: closed
    async with world.breakers.passing(NAME), world.breakers.passing(NAME):
        pass


async def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next(world: World) -> None:
    await world.fail(5)
    world.clock.seconds += 60
    with trio.CancelScope() as scope:
        async with world.breakers.passing(NAME):
            scope.cancel()
            await trio.sleep_forever()
    for _ in range(2):
        await world.succeed()
    assert not await world.is_open()


async def test_a_request_from_before_neither_frees_the_probes_place_nor_counts_as_one(world: World) -> None:
    """It began while the breaker was closed and ends while a probe is out: one too many would follow otherwise."""
    late = [world.breakers.passing(NAME) for _ in range(3)]
    for one in late:
        await one.__aenter__()
    await world.fail(5)
    world.clock.seconds += 60
    async with world.breakers.passing(NAME):
        await late[0].__aexit__(None, None, None)  # good
        timeout = errors.FetchTimeout("too slow")
        await late[1].__aexit__(errors.FetchTimeout, timeout, None)
        failure = ValueError()
        await late[2].__aexit__(ValueError, failure, None)
        with pytest.raises(errors.BreakerOpen):
            async with world.breakers.passing(NAME):
                raise AssertionError
    kept = world.book.kept[NAME]
    assert (kept.state, kept.successes) == (BreakerState.HALF_OPEN, 1)


async def test_those_that_wait_do_not_all_come_back_at_once(world: World) -> None:
    await world.fail(5)
    waits = []
    for _ in range(50):
        with pytest.raises(errors.BreakerOpen) as caught:
            world.breakers.check(NAME)
        waits.append(caught.value.retry_after)
    assert len(set(waits)) == 50
    assert min(waits) >= 60


async def test_a_hold_counts_although_the_body_that_follows_fails(world: World) -> None:
    async def cut_off() -> None:
        async with world.breakers.passing(NAME) as passage:
            passage.hold(120, "HTTP 429")
            raise errors.ProtocolBroken("cut")

    with pytest.raises(errors.ProtocolBroken):
        await cut_off()
    assert world.breakers.wait_seconds(NAME) == 120


async def test_a_restart_forgets_nothing_and_a_lost_probe_blocks_nobody(world: World) -> None:
    await world.fail(5)
    again = world.started()
    await again.load()
    assert again.wait_seconds(NAME) == 60
    world.clock.seconds += 60
    async with world.breakers.passing(NAME):  # its worker dies with the probe out
        world.book.kept[NAME] = Breaker(
            name=NAME, state=BreakerState.HALF_OPEN, probe_at=world.clock.wall_ms() + 90_000
        )
        after = world.started()
        await after.load()
        async with after.passing(NAME):
            pass


async def test_a_later_state_is_never_overwritten_by_an_earlier_one(world: World) -> None:
    """Two requests end at once: the one that stores first is held up, and by then the state has moved on."""
    world.book.hold_up = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.fail)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(4):
            nursery.start_soon(world.fail)
        await trio.testing.wait_all_tasks_blocked()
        assert world.book.saves == 1  # one at a time
        world.book.hold_up.set()
    assert world.book.kept[NAME].failures == 5
    assert world.book.kept[NAME].state is BreakerState.OPEN


@pytest.mark.parametrize("refusal", [errors.StoreFull("full"), errors.StoreBusy("locked")])
async def test_a_store_that_takes_no_write_fails_no_request_and_is_told_later(world: World, refusal: Exception) -> None:
    world.book.refusal = refusal
    await world.fail(5)
    assert await world.is_open()
    assert world.book.kept == {}
    world.book.refusal = None
    with pytest.raises(errors.DnsFailed):
        async with world.breakers.passing("host:example.com"):
            raise errors.DnsFailed("no such name")
    assert set(world.book.kept) == {NAME, "host:example.com"}


async def test_a_broken_store_is_said_so(world: World) -> None:
    world.book.refusal = errors.StoreBroken("I/O error")
    with pytest.raises(errors.StoreBroken):
        async with world.breakers.passing(NAME):
            raise errors.FetchTimeout("too slow")


async def test_a_store_that_hangs_holds_a_request_up_for_seconds_only(
    world: World, autojump_clock: trio.testing.MockClock
) -> None:
    world.book.hold_up = trio.Event()
    started = trio.current_time()
    await world.fail()
    assert trio.current_time() - started == pytest.approx(5)
    world.book.hold_up = None
    await world.fail()
    assert world.book.kept[NAME].failures == 2


async def test_what_is_remembered_is_bounded_and_those_that_are_open_are_forgotten_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KNOWN_MOST", 100)
    await world.fail(5)
    for number in range(1000):
        with pytest.raises(errors.DnsFailed):
            async with world.breakers.passing(f"host:h{number}.example"):
                raise errors.DnsFailed("no such name")
    assert len(world.breakers._known) == 100
    assert len(world.book.kept) <= 101
    assert world.breakers.wait_seconds(NAME) == 60
