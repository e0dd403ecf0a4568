"""Each check of the simulation complains of a world that is wrong in its way, and of none that is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import apsw
import msgspec
import pytest
import trio
from trio.testing import MockClock

from observability.names import Event
from pipeline.breaker import Breaker, BreakerState
from pipeline.items import Submission
from pipeline.settings import BreakerSettings
from stages.net.breakers import Breakers
from tests.simulation.checks import Checks
from tests.simulation.clock import DAY, HOUR, MINUTE, WorldClock
from tests.simulation.dice import Dice
from tests.simulation.faults import Faults
from tests.simulation.ground import run_repeatably
from tests.simulation.hosts import settle
from tests.simulation.journal import Journal, Meant
from tests.simulation.meter import Meter
from tests.simulation.mortal import PROCESS, Machine, Process
from tests.simulation.network import Network
from tests.simulation.report import Report
from tests.simulation.roles import CONFIG, Api, Service, Surroundings, api
from tests.simulation.trace import Trace
from tests.simulation.world import World
from tests.unit.stages.net.test_breakers import HandClock, Notebook

LAST = "(SELECT max(id) FROM items)"  # in flight
FIRST = "(SELECT min(id) FROM items WHERE state = 'done')"
SECOND = f"(SELECT min(id) FROM items WHERE state = 'done' AND id > {FIRST})"
DEAD = (
    "UPDATE items SET state = 'dead', reason = '{\"code\":\"dns_failed\"}', url = 'http://%s.example.net/a' WHERE id = "
)


def around_of(folder: Path) -> Surroundings:
    clock, trace, dice = WorldClock(), Trace(), Dice(7)
    return Surroundings(
        folder=folder,
        clock=clock,
        machine=Machine(),
        network=Network(settle(dice.stream("hosts"), 30), clock, trace),
        trace=trace,
        journal=Journal(),
        dice=dice.stream("ids"),
    )


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a world that ended well, and one save that came after its end."""
    folder: Path = tmp_path_factory.mktemp("lived")
    world = World(Dice(7), 0.05, folder)
    run_repeatably(Random(7), world.live)
    assert world.report(7, 0.0).faults == ()

    async def one_more() -> None:
        PROCESS.set(Process("api", Machine(), lambda _name: None))
        async with around_of(folder).open() as store:
            await store.items.accept(
                Submission(url="http://host0.example.net/late", url_key="http://host0.example.net/late")
            )

    run_repeatably(Random(7), one_more)
    return folder


class Found:
    """Checks over a copy of that world, which a test may damage."""

    def __init__(self, folder: Path) -> None:
        self.around = around_of(folder)
        self.service = Service(self.around, Random(7))
        self.checks = Checks(self.around, self.service)

    def damage(self, statement: str) -> None:
        conn = apsw.Connection(str(self.around.folder / "atlas.db"))
        conn.execute("PRAGMA foreign_keys = OFF")
        conn.execute(statement)
        conn.close()

    def says(self, words: str, look: Callable[[], None]) -> bool:
        look()
        return any(fault.startswith(words) for fault in self.checks.faults)


@pytest.fixture
def found(lived: Path, tmp_path: Path) -> Iterator[Found]:
    folder = tmp_path / "world"
    shutil.copytree(lived, folder)
    found = Found(folder)
    yield found
    found.checks.close()


async def test_a_world_that_ended_well_has_nothing_to_complain_of(found: Found, autojump_clock: MockClock) -> None:
    found.checks.moment(())
    found.checks.effects()
    assert found.checks.faults == []


WAITING = f"UPDATE work SET state = 'waiting'{{}} WHERE item_id = {LAST}; UPDATE items SET state = 'waiting'"
LEASED = "UPDATE work SET state = 'leased', lease_token = 't', lease_until = 1e9, lease_boot = "


@pytest.mark.parametrize(
    ("words", "damage"),
    [
        ("accepted is not done +", "UPDATE totals SET n = n + 1 WHERE name = 'accepted'"),
        ("in flight without work", f"UPDATE items SET state = 'ready' WHERE id = {FIRST}"),
        ("in flight without work", f"UPDATE items SET state = 'done' WHERE id = {LAST}"),
        ("item and work disagree", f"UPDATE items SET state = 'leased' WHERE id = {LAST}"),
        ("waits without a reason", WAITING.format("") + f" WHERE id = {LAST}"),
        ("dead without a reason", f"UPDATE items SET state = 'dead', reason = NULL WHERE id = {FIRST}"),
        ("more attempts than the policy", f"UPDATE work SET attempts = {CONFIG.retry.attempts}"),
        ("more crashes than the policy", f"UPDATE work SET crashes = {CONFIG.retry.crashes}"),
        ("waits for longer", WAITING.format(", due_at = due_at + 200000000") + f", reason = '{{}}' WHERE id = {LAST}"),
        ("ready for too long", "UPDATE work SET due_at = 0, entered_at = 0"),
        ("overslept", WAITING.format(", due_at = 0") + f", reason = '{{}}' WHERE id = {LAST}"),
        ("a lease without a holder", LEASED + f"'another'; UPDATE items SET state = 'leased' WHERE id = {LAST}"),
    ],
)
async def test_at_any_moment_the_checks_complain_of(
    found: Found, autojump_clock: MockClock, words: str, damage: str
) -> None:
    found.damage(damage)
    assert found.says(words, partial(found.checks.moment, ()))


async def test_an_acknowledged_item_that_is_not_there_is_found_out(found: Found, autojump_clock: MockClock) -> None:
    assert found.says("acknowledged and lost: 01ABC", partial(found.checks.moment, ["01ABC"]))


async def test_nobody_is_late_while_the_worker_is_down(found: Found, autojump_clock: MockClock) -> None:
    found.damage("UPDATE work SET due_at = 0, entered_at = 0")
    assert not found.says("", partial(found.checks.moment, (), paced=False))


@pytest.mark.parametrize(
    ("words", "damage"),
    [
        ("done without a search row", f"DELETE FROM search_docsize WHERE id = {FIRST}"),
        ("a search row of what is not kept", "INSERT INTO search_docsize VALUES (1000000, x'00', 0)"),
        (
            "a search row of what is not kept",
            f"UPDATE items SET state = 'dead', kept = NULL, reason = '{{}}' WHERE id = {FIRST}",
        ),
        ("done without a document", f"DELETE FROM documents WHERE item_id = {FIRST}"),
        ("done more often than begun", f"INSERT INTO steps (item_id, at, code) VALUES ({FIRST}, 1, 590)"),
    ],
)
async def test_of_what_was_stored_the_checks_complain_of(
    found: Found, autojump_clock: MockClock, words: str, damage: str
) -> None:
    found.damage(damage)
    assert found.says(words, found.checks.effects)


async def test_two_items_for_one_address_are_found_out(found: Found, autojump_clock: MockClock) -> None:
    found.damage(
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_items_2';"
        "UPDATE sqlite_master SET sql = replace(sql, 'url_key TEXT UNIQUE', 'url_key TEXT') WHERE name = 'items'"
    )
    found.damage(f"UPDATE items SET url_key = (SELECT url_key FROM items WHERE id = {SECOND}) WHERE id = {FIRST}")
    assert found.says("two items for one address", found.checks.effects)


@pytest.mark.parametrize(("site", "is_wrong"), [("host0", True), ("nameless0", True), ("dead0", False)])
async def test_only_a_site_that_stays_down_may_cost_an_item(
    found: Found, autojump_clock: MockClock, site: str, is_wrong: bool
) -> None:
    found.damage(DEAD % site + FIRST)
    assert found.says("given up although its site healed", found.checks.end) is is_wrong


@pytest.mark.parametrize(
    ("words", "damage"),
    [
        ("still in flight", "SELECT 1"),
        ("foreign key", f"DELETE FROM items WHERE id = {FIRST}"),
        ("atlas.db is damaged", "DELETE FROM search_data WHERE id > 10"),
    ],
)
async def test_at_the_end_the_checks_complain_of(
    found: Found, autojump_clock: MockClock, words: str, damage: str
) -> None:
    found.damage(damage)
    assert found.says(words, found.checks.end)


async def test_a_damaged_archive_is_found_out(found: Found, autojump_clock: MockClock) -> None:
    path = found.around.folder / "archive.db"
    path.write_bytes(path.read_bytes()[: 2 * 4096] + bytes(4096) + path.read_bytes()[3 * 4096 :])  # a page of an index
    assert found.says("archive.db is damaged", found.checks.end)


# The network's side


async def known_breaker(network: Network, state: BreakerState) -> None:
    network.breakers = Breakers(Notebook(), BreakerSettings(), clock=HandClock())
    network.breakers._known["host:host0.example.net"] = Breaker(name="host:host0.example.net", state=state, opened_at=1)


async def test_a_request_to_a_host_whose_breaker_is_open_is_found_out(tmp_path: Path) -> None:
    network = around_of(tmp_path).network
    await known_breaker(network, BreakerState.OPEN)
    network.begin("host0.example.net")
    assert "while its breaker was open" in network.faults[0]


async def test_a_second_probe_at_once_is_found_out_and_one_after_the_other_is_not(tmp_path: Path) -> None:
    network = around_of(tmp_path).network
    await known_breaker(network, BreakerState.HALF_OPEN)
    network.begin("host0.example.net")
    network.end("host0.example.net")
    network.begin("host0.example.net")
    assert network.faults == []
    network.begin("host0.example.net")
    assert "two probes at once" in network.faults[0]


@pytest.mark.parametrize(("waited", "is_wrong"), [(29.0, True), (30.0, False)])
async def test_a_host_that_wanted_quiet_is_not_asked_sooner(
    tmp_path: Path, autojump_clock: MockClock, waited: float, is_wrong: bool
) -> None:
    network = around_of(tmp_path).network
    network.hold("host0.example.net", 30.0)
    await trio.sleep(waited)
    network.begin("host0.example.net")
    assert bool(network.faults) is is_wrong


def test_a_bug_that_was_logged_is_found_out_unless_the_world_meant_it() -> None:
    journal = Journal()
    journal.error(Event.STAGE_FAILED, exc_info=Meant("a bug"))
    assert journal.bugs == []
    journal.error(Event.STAGE_FAILED, exc_info=KeyError("a"))
    assert "KeyError" in journal.bugs[0]


async def test_whatever_is_rarer_than_a_world_is_long_befalls_it_at_least_once(
    found: Found, autojump_clock: MockClock
) -> None:
    async def nothing() -> None:
        await trio.lowlevel.checkpoint()

    for seed in range(100):
        faults = Faults(found.around, None, found.service, Random(seed), burst=nothing)  # type: ignore[arg-type]
        every = max(seconds for _, seconds in faults.calendar())
        await faults.befall(nothing, every, 30 * DAY)
        assert faults.happened


# Availability


class Busy:
    """A worker that is up and does nothing, or one thing more at each look."""

    def __init__(self, *, works: bool) -> None:
        self.line = self
        self._works = works
        self._finished = 0

    @property
    def actors(self) -> list[Busy]:
        return [self]

    @property
    def finished(self) -> int:
        self._finished += self._works
        return self._finished


def low(around: Surroundings, _api: Api, _found: Found) -> None:
    around.machine.is_low = True


def down(_around: Surroundings, api: Api, _found: Found) -> None:
    api.is_down = True


def crowded(_around: Surroundings, _api: Api, found: Found) -> None:
    found.damage("UPDATE counts SET n = 5000 WHERE state = 'ready'")


def healthy(_around: Surroundings, _api: Api, _found: Found) -> None:
    """Nothing is wrong."""


@pytest.mark.parametrize(
    ("trouble", "works", "why"),
    [
        (low, True, "no saves: disk"),
        (down, True, "no saves: StoreBusy"),
        (crowded, True, "no saves: backlog"),
        (healthy, False, "no progress"),
        (healthy, True, None),
    ],
)
async def test_the_meter_counts_the_minutes_in_which_a_save_or_a_step_could_not_be_made(
    found: Found,
    autojump_clock: MockClock,
    trouble: Callable[[Surroundings, Api, Found], None],
    works: bool,
    why: str | None,
) -> None:
    async with found.around.open() as store:
        api = Api(found.around, store)
        found.service.worker = Busy(works=works)  # type: ignore[assignment]
        trouble(found.around, api, found)
        meter = Meter(api, found.service, found.checks.conn)
        await meter.watch(HOUR)
    assert list(meter.why) == ([] if why is None else [why])
    assert (meter.availability(0, HOUR) == 1.0) is (why is None)
    assert bool(meter.faults) is (why == "no progress")


async def test_a_reboot_hides_no_full_disk_from_the_meter(found: Found, autojump_clock: MockClock) -> None:
    async with api(found.around) as alive:
        meter = Meter(alive, found.service, found.checks.conn)
        await meter.watch(HOUR)
        found.around.clock.reboot()
        found.around.machine.is_low = True
        await meter.watch(HOUR)
    assert list(meter.why) == ["no saves: disk"]


def test_spans_of_trouble_that_overlap_count_once(found: Found) -> None:
    found.service.downs = [(-5.0, MINUTE), (MINUTE / 2, 3 * MINUTE), (HOUR - MINUTE, 2 * HOUR)]
    meter = Meter(None, found.service, found.checks.conn)  # type: ignore[arg-type]
    assert meter.availability(0.0, HOUR) == pytest.approx(1 - 4 / 60)


@pytest.mark.parametrize("changed", [{"saves": 11}, {"fed": 4}, {"accepted": 11}, {"items": {"done": 9}}])
def test_counts_that_do_not_add_up_fail_the_world(changed: dict[str, object]) -> None:
    report = Report(
        seed=1, days=1.0, saves=10, again=2, fed=2, accepted=10, items={"done": 8, "dead": 2}, copies=0, codes={},
        deaths=0, happened={}, ends=(), requests=0, refused=0, checks=0, availability=1.0, why={}, digest="",
        seconds=0.0, faults=(),
    )  # fmt: skip
    assert report.is_well
    wrong = msgspec.structs.replace(report, **changed)
    assert not wrong.is_well
    assert "do not add up" in wrong.detail()
