"""kill -9 of the worker, again and again, while items flow."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

import apsw
import pytest

from tests.test_reliability.roles import KILLS, Roles, ask, roles, sound, whole
from tests.test_reliability.sizes import figure, size
from tools.bench.run import bench_site

pytestmark = pytest.mark.fault

PER_LIFE = size("ITEMS_PER_LIFE", small=20, full=90)
RECLAIM_SECONDS = 2.0
# Lives are so short that an item may well be in hand at three deaths in a row; that rule has its own test.
NO_POISON = {"ATLAS_RETRY_CRASHES": "1000"}


def test_a_worker_killed_at_random_moments_loses_no_item_and_does_none_twice(tmp_path: Path) -> None:
    dice = random.Random(20261120)
    count = KILLS * PER_LIFE
    with bench_site(tmp_path / "site", pages=count) as site, roles(tmp_path, NO_POISON) as running:
        running.start("api")
        late: list[float] = []
        left_behind = 0
        for life in range(KILLS):
            dead = leasing(running)
            left_behind += len(dead)
            worker = running.start("worker")
            late.append(seconds_until_reclaimed(running, dead))
            for number in range(life * PER_LIFE, (life + 1) * PER_LIFE):
                running.save(f"{site}/p/{number}")
            worker.wait(dice.uniform(0.1, 0.4))
            running.kill(worker)
        last = running.start("worker")
        last.wait_for(
            lambda: running.ended(count), seconds=60 + count / 10, what="finishing what the killed ones had begun"
        )
        assert last.stop() == 0
    whole(tmp_path / "data", count)
    sound(tmp_path / "data")
    figure(
        "F1", f"{KILLS} kills, {count} items, 0 lost, 0 twice; reclaimed {max(late):.2f} s after READY at the latest"
    )
    assert max(late) <= RECLAIM_SECONDS
    assert left_behind > KILLS / 2, "hardly a worker held anything when it was killed"


def leasing(running: Roles) -> set[str]:
    """The boot ids of the workers that hold a lease."""
    with contextlib.closing(apsw.Connection(str(running.atlas.data / "atlas.db"))) as database:
        database.set_busy_timeout(5000)
        return {boot for (boot,) in ask(database, "SELECT DISTINCT lease_boot FROM work WHERE state = 'leased'")}


def seconds_until_reclaimed(running: Roles, dead: set[str]) -> float:
    """For how long, from now on, a dead worker still holds a lease."""
    begun = time.monotonic()
    while dead & leasing(running):
        assert time.monotonic() - begun < 30, "leases of dead workers are still there"
    return time.monotonic() - begun


def test_after_a_kill_the_next_worker_takes_up_what_was_in_hand_at_once(tmp_path: Path) -> None:
    with bench_site(tmp_path / "site", pages=40) as site, roles(tmp_path) as running:
        running.start("api")
        worker = running.start("worker")
        for number in range(40):
            running.save(f"{site}/p/{number}")
        running.kill(worker)
        after = running.start("worker")
        # Well under the lease of 120 s: leases of a dead boot are void.
        after.wait_for(lambda: running.ended(40), seconds=30, what="finishing")
        assert after.stop() == 0
    whole(tmp_path / "data", 40)
