"""F5: the power goes at any moment; what was answered is on the disk, and nothing is there by half."""

from __future__ import annotations

from pathlib import Path
from random import Random

import apsw
import pytest

from pipeline import errors
from pipeline.store.migrate import migrate, migrations
from tests.store.power_cut import REAL, PowerCut, power_cut
from tests.store.workload import Ledger, checkpointed_early, ends_well, held_to, index_is_whole, opened, work
from tests.test_reliability.repeatable import repeatably
from tests.test_reliability.sizes import figure, size

pytestmark = pytest.mark.fault

CUTS = size("CUTS", small=40, full=500)
FIRST_SEED = size("SEED", small=1, full=1)
# Of one life: about 40 operations of the disk open the store, some 1,500 are the work.
EARLY, LATE = 80, 1500


class Trial:
    """One seed: a store that lives until the power is cut, once or twice, then a look at what the disk holds."""

    def __init__(self, disk: PowerCut, folder: Path, seed: int, synchronous: str) -> None:
        self.disk = disk
        self.dice = Random(seed)
        self.ledger = Ledger()
        self.synchronous = synchronous
        self._folder = folder
        self._lives = 0
        self.cut_short = 0  # lives that the cut found at work, not after their end

    def run(self) -> list[str]:
        """What is wrong afterwards."""
        data = self._next()
        if self.dice.random() < 0.3:
            _first_release(data)
        for _ in range(self.dice.choice([1, 1, 2, 3])):
            data = self._live_and_die(data)
        self.disk.insert(data)
        try:
            return repeatably(self.dice, self._look, data)
        except errors.StoreError as error:
            return [f"it cannot be used: {error.message}"]
        finally:
            self.disk.remove()

    def _next(self) -> Path:
        self._lives += 1
        folder = self._folder / str(self._lives)
        folder.mkdir()
        return folder

    def _live_and_die(self, data: Path) -> Path:
        self.disk.insert(data)
        self.disk.cut_at = self.dice.randrange(1, self.dice.choice([EARLY, LATE]))
        try:
            repeatably(self.dice, self._live, data)
        except (errors.StoreError, BaseExceptionGroup) as error:
            _only_the_power(error)
        self.cut_short += self.disk.dead
        after = self._next()
        for name, content in self.disk.images(self.dice).items():
            (after / name).write_bytes(content)
        self.disk.remove()
        return after

    async def _live(self, data: Path) -> None:
        with checkpointed_early() as connections:
            async with opened(data, self.dice, self.synchronous) as store:
                await work(store, self.ledger, self.dice, connections)

    async def _look(self, data: Path) -> list[str]:
        async with opened(data, self.dice, self.synchronous) as store:
            wrong = await held_to(store, self.ledger)
            await index_is_whole(store)
            states = await ends_well(store, self.ledger)
            wrong += [f"{n} items are left {state}" for state, n in states.items() if state not in {"done", "dead"}]
            return wrong + await held_to(store, self.ledger)


def _first_release(data: Path) -> None:
    """Files of schema 1, as a machine has them before an upgrade."""
    for name in ("atlas", "archive"):
        conn = apsw.Connection(str(data / f"{name}.db"), vfs=REAL)
        conn.pragma("journal_mode", "wal")
        migrate(conn, migrations(name)[:1])
        conn.close()


def _only_the_power(error: BaseException) -> None:
    """Whatever fails must fail because of the disk; a bug of the test's or the store's is raised."""
    left = [error]
    while left:
        one = left.pop()
        if isinstance(one, BaseExceptionGroup):
            left.extend(one.exceptions)
        elif not isinstance(one, errors.StoreError):
            raise one


def test_a_power_cut_loses_nothing_that_was_answered_and_leaves_nothing_by_half(tmp_path: Path) -> None:
    said, cut_short, wrong = 0, 0, {}
    with power_cut() as disk:
        for seed in range(FIRST_SEED, FIRST_SEED + CUTS):
            (tmp_path / f"seed-{seed}").mkdir()
            trial = Trial(disk, tmp_path / f"seed-{seed}", seed, "full")
            found = trial.run()
            said += trial.ledger.said
            cut_short += trial.cut_short
            if found:
                wrong[seed] = found
    figure("F5", f"{CUTS} seeds, {cut_short} cuts, {said} acknowledged operations; lost or damaged in {len(wrong)}")
    assert wrong == {}, f"replay one: FAULT_SEED={next(iter(wrong))} FAULT_CUTS=1"
    assert cut_short >= CUTS * 0.9
    assert said >= CUTS * 20, "the power went too early to have cut anything"


def test_the_simulated_disk_loses_what_was_not_synced(tmp_path: Path) -> None:
    """The test above can fail: a store that does not wait for the disk is found out."""
    caught = 0
    with power_cut() as disk:
        for seed in range(1, 41):
            (tmp_path / f"seed-{seed}").mkdir()
            caught += bool(Trial(disk, tmp_path / f"seed-{seed}", seed, "normal").run())
    figure("F5", f"synchronous=NORMAL, 40 seeds: something acknowledged was lost in {caught}")
    assert caught >= 5
