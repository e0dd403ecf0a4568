"""kill -9 of the worker, again and again, while items flow."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.test_reliability.roles import KILLS, roles, sound, whole
from tools.bench.run import bench_site

pytestmark = pytest.mark.fault

PER_LIFE = 20
# Lives are so short that an item may well be in hand at three deaths in a row; that rule has its own test.
NO_POISON = {"ATLAS_RETRY_CRASHES": "1000"}


def test_a_worker_killed_at_random_moments_loses_no_item_and_does_none_twice(tmp_path: Path) -> None:
    dice = random.Random(20261120)
    count = KILLS * PER_LIFE
    with bench_site(tmp_path / "site", pages=count) as site, roles(tmp_path, NO_POISON) as running:
        running.start("api")
        for life in range(KILLS):
            worker = running.start("worker")
            for number in range(life * PER_LIFE, (life + 1) * PER_LIFE):
                running.save(f"{site}/p/{number}")
            worker.wait(dice.uniform(0.0, 0.5))
            running.kill(worker)
        last = running.start("worker")
        last.wait_for(lambda: running.ended(count), seconds=120, what="finishing what the killed ones had begun")
        assert last.stop() == 0
    whole(tmp_path / "data", count)
    sound(tmp_path / "data")


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
