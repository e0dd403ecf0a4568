"""F7: the disk fills up under a running Atlas: it takes nothing in, serves, loses nothing, goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervisor.instance import Process
from tests.test_reliability.clients import Busy, CountingSite, Timed, counting_site, timed
from tests.test_reliability.roles import Roles, roles, sound
from tests.test_reliability.sizes import figure
from tests.test_reliability.small_disk import MIB, SmallDisk, small_disk

pytestmark = pytest.mark.fault

DISK_MIB = 128
NOTICED_SECONDS = 5.0
RESUMED_SECONDS = 30.0
FULL_SECONDS = 6.0  # how long it stays full
BEFORE = 30  # saved before


@contextmanager
def on_small_disk(folder: Path, *, reserve_mib: int) -> Iterator[tuple[SmallDisk, Roles, CountingSite]]:
    settings = {"ATLAS_DATABASE_RESERVE_MIB": str(reserve_mib), "ATLAS_DATABASE_RESERVE_PERCENT": "0"}
    with (
        counting_site() as site,
        small_disk(folder / "disk", mib=DISK_MIB) as disk,
        roles(folder / "disk", settings) as running,
    ):
        yield disk, running, site


class Story:
    """Saving and reading go on all the time; `fill` and `empty` measure how long it took to be noticed."""

    def __init__(self, disk: SmallDisk, running: Roles, site: CountingSite) -> None:
        self.disk = disk
        self.running = running
        self.read = Busy(lambda _: timed(running.atlas, "GET", "/api/v1/items?limit=20"), pause=0.05)
        self.saves = Busy(lambda number: self._save(f"{site.url}/during/{number}"), threads=2, pause=0.02)
        self.filled = self.emptied = 0.0

    def _save(self, url: str) -> Timed:
        return timed(self.running.atlas, "POST", "/api/v1/items", {"url": url})

    @property
    def refused(self) -> list[Timed]:
        return [answer for answer in self.saves.answers if not answer.was_kept]

    def fill(self, role: Process, *, leave: int) -> float:
        """How long until the first save was refused."""
        self.disk.fill(leave=leave)
        self.filled = time.monotonic()
        role.wait_for(lambda: bool(self.refused), seconds=NOTICED_SECONDS + 5, what="refusing")
        return self.refused[0].begun + self.refused[0].seconds - self.filled

    def empty(self, role: Process) -> float:
        """How long until the first save was kept."""
        self.disk.empty()
        self.emptied = time.monotonic()
        role.wait_for(lambda: bool(self.saves.kept_since(self.emptied)), seconds=60, what="saving again")
        return self.saves.kept_since(self.emptied)[0].begun - self.emptied

    def check(self) -> None:
        """Every answer is one that it may give."""
        assert {answer.status for answer in self.read.answers} == {200}
        assert {answer.status for answer in self.refused} <= {503, 507}
        assert all("retry-after" in answer.headers for answer in self.refused)


def finished(running: Roles, worker: Process, count: int, since: float) -> float:
    """Wait until all items are done; how long that took since then."""
    worker.wait_for(lambda: running.ended(count), seconds=60, what="finishing all")
    took = time.monotonic() - since
    assert {item["state"] for item in running.atlas.items()} == {"done"}
    return took


def test_at_its_reserve_atlas_takes_nothing_in_and_begins_nothing_until_there_is_room(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, reserve_mib=16) as (disk, running, site):
        api = running.start("api")
        for number in range(BEFORE):
            running.save(f"{site.url}/before/{number}")
        story = Story(disk, running, site)
        with story.read, story.saves:
            noticed = story.fill(api, leave=8 * MIB)
            worker = running.start("worker")
            assert worker.wait(FULL_SECONDS) is None
            assert site.asked.total() == 0, "it has claimed"
            assert running.atlas.ask("GET", "/health").body["disk"] == "low"
            resumed = story.empty(api)
        done = finished(running, worker, BEFORE + len(story.saves.kept), story.emptied)
        story.check()
        assert noticed <= NOTICED_SECONDS
        assert resumed <= RESUMED_SECONDS
        assert done <= RESUMED_SECONDS
        assert worker.stop() == api.stop() == 0
        sound(running.atlas.data)
    figure(
        "F7",
        f"8 MiB left of a reserve of 16: refused after {noticed:.1f} s ({len(story.refused)} saves),"
        f" 0 claims, {len(story.read.answers)} reads 200; saving {resumed:.1f} s after, all done {done:.1f} s after;"
        f" 0 restarts, 0 lost of {BEFORE + len(story.saves.kept)}",
    )


def test_a_disk_without_a_byte_left_stops_saves_and_no_role_and_loses_nothing(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, reserve_mib=0) as (disk, running, site):
        api, worker = running.start("api"), running.start("worker")
        for number in range(BEFORE):
            running.save(f"{site.url}/before/{number}")
        story = Story(disk, running, site)
        with story.read, story.saves:
            noticed = story.fill(api, leave=0)
            assert worker.wait(FULL_SECONDS) is None
            resumed = story.empty(api)
        done = finished(running, worker, BEFORE + len(story.saves.kept), story.emptied)
        story.check()
        assert noticed <= NOTICED_SECONDS
        assert resumed <= RESUMED_SECONDS
        assert done <= RESUMED_SECONDS
        assert worker.stop() == api.stop() == 0
        sound(running.atlas.data)
    figure(
        "F7",
        f"0 bytes left: refused after {noticed:.1f} s ({len(story.refused)} saves),"
        f" {len(story.read.answers)} reads 200; saving {resumed:.1f} s after, all done {done:.1f} s after; 0 restarts,"
        f" 0 lost of {BEFORE + len(story.saves.kept)}",
    )
