"""Worlds of simulated days, from a seed: nothing is lost, nobody is bothered, and a seed repeats its world."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.simulation.clock import HOUR
from tests.simulation.world import World, live


def test_an_hour_of_saves_ends_well_and_the_same_seed_lives_it_again() -> None:
    first, second = live(7, 0.05), live(7, 0.05)
    assert first.is_well, first.detail()
    assert first.saves > 0
    assert first.digest == second.digest


@pytest.mark.slow
def test_another_seed_lives_another_world() -> None:
    assert live(7, 0.05).digest != live(8, 0.05).digest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM search_docsize WHERE id = (SELECT min(id) FROM search_docsize)", "without a search row"),
        ("UPDATE counts SET n = n + 1 WHERE state = 'done'", "counts drifted by"),
    ],
)
def test_a_world_whose_database_is_wrong_at_its_end_is_found_out(
    monkeypatch: pytest.MonkeyPatch, damage: str, words: str
) -> None:
    came_to_rest = World._come_to_rest

    async def is_damaged(self: World) -> None:
        await came_to_rest(self)
        await self._api.store.items._db.write(lambda conn: conn.execute(damage))
        await trio.sleep(2 * HOUR)  # the scheduler counts anew in each

    monkeypatch.setattr(World, "_come_to_rest", is_damaged)
    assert any(words in fault for fault in live(7, 0.05).faults)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_days_of_saves_crashes_and_bad_hosts_lose_nothing(seed: int) -> None:
    report = live(seed, 2.0)
    assert report.is_well, f"replay it: just simulate --seed {seed} --days 2\n{report.detail()}"
    assert report.deaths > 0
    assert report.availability >= 0.999


@pytest.mark.slow
def test_a_seed_repeats_its_world_in_another_process_too(root: Path) -> None:
    code = "from tests.simulation.world import live; print(live(3, 1.0).digest)"

    def digest(hash_seed: str) -> bytes:
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        run = subprocess.run(
            [sys.executable, "-P", "-c", code], check=True, env=environ, cwd=root, stdout=subprocess.PIPE, timeout=60
        )
        return run.stdout

    assert digest("1") == digest("2")
