"""F4: kill -9 of a backup wherever it is: a name stands for a whole backup, and the ones before are all there."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from observability.log import get_logger
from pipeline.clock import SystemClock
from pipeline.store.packs import examine_pack, union
from supervisor.backups.check import check_again
from tests.conftest import ROOT
from tests.test_reliability.sizes import figure, size
from tests.unit.supervisor.backups.hands import Hands
from tests.unit.supervisor.library import Library

pytestmark = pytest.mark.fault

POINTS = size("BACKUP_POINTS", small=12, full=10_000)  # all there are
KILLS = size("BACKUP_KILLS", small=3, full=40)
SETTINGS = {"keep_daily": 1, "keep_weekly": 0, "keep_monthly": 0}  # so that one is deleted by each run

# Makes a backup, and dies at the Nth time that it is about to open, make, rename or remove something; 0: says how often
# it did. Small packs are merged at once.
DIES = """
import os, signal, sys
from pathlib import Path
from supervisor.backups import archive
from supervisor.backups.make import make
from tests.unit.supervisor.backups.hands import Hands

archive.SMALL_MOST = 1
hands = Hands(Path(sys.argv[1]), keep_daily=1, keep_weekly=0, keep_monthly=0)
hands.clock.wall += 100 * 86_400_000
last, seen = int(sys.argv[2]), 0

def count(event, _arguments):
    global seen
    if event == "open" or event.startswith(("os.", "shutil.")):
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)

print("ready", flush=True)
sys.addaudithook(count)
hands.make()
print(seen, flush=True)
"""


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A data folder with three backups and three packs, and something new in library and archive."""
    library = Library(tmp_path / "begun")
    hands = Hands(library.folder, **SETTINGS)
    for first in (0, 3, 6):
        library.keep(3, first=first)
        hands.make()
    library.keep(40, first=9)
    return library.folder


def start(data: Path, last: int) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", DIES, str(data), str(last)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def ended(child: subprocess.Popen[str]) -> tuple[int, str]:
    printed, _ = child.communicate(timeout=60)
    return child.returncode, printed


def whole(data: Path, bodies: set[str], before: list[str]) -> list[str]:
    """All that has a name is good, nothing that was there has gone but by rule; the ids that are there."""
    hands = Hands(data, **SETTINGS)
    listing = hands.folder.listing()
    assert listing.strangers == ()
    assert all(backup.is_good for backup in listing.backups)
    assert bodies <= set(union(hands.folder.packs()))
    assert [examine_pack(pack)[1] for pack in hands.folder.packs()] == [()] * len(hands.folder.packs())
    assert set(before[:2]) <= set(hands.ids)  # the oldest may have been deleted
    with hands.folder.locked():
        for backup in listing.backups:
            assert check_again(hands.folder, backup, SystemClock(), get_logger()).faults == ()
    return hands.ids


def test_wherever_it_dies_what_has_a_name_is_whole_and_the_next_run_goes_on(begun: Path, tmp_path: Path) -> None:
    before, bodies = Hands(begun).ids, set(union(Hands(begun).folder.packs()))
    assert len(before) == 3
    shutil.copytree(begun, tmp_path / "counted")
    code, printed = ended(start(tmp_path / "counted", 0))
    assert code == 0
    last = int(printed)
    points = Random(4).sample(range(1, last + 1), min(POINTS, last))
    finished = 0
    for point in sorted(points):
        data = tmp_path / f"at-{point}"
        shutil.copytree(begun, data)
        assert ended(start(data, point))[0] == -signal.SIGKILL, point
        there = whole(data, bodies, before)
        finished += len(set(there) - set(before))
        assert ended(start(data, 0))[0] == 0
        assert len(set(whole(data, bodies, before[:1])) - set(before)) >= 1
        assert not list(Hands(data).folder.path.rglob(".partial*"))
        shutil.rmtree(data)
    figure("backup_killed", f"{len(points)} of {last} points, 0 partial backups, {finished} times it was done already")


def test_killed_at_any_moment_again_and_again_it_leaves_whole_backups(begun: Path) -> None:
    before, bodies = Hands(begun).ids, set(union(Hands(begun).folder.packs()))
    dice, kept = Random(4), set(before)
    for _ in range(KILLS):
        child = start(begun, 0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(dice.random() * 0.3)
        child.kill()
        child.communicate(timeout=60)
        kept |= set(whole(begun, bodies, before[:0]))
    begun_at = time.monotonic()
    assert ended(start(begun, 0))[0] == 0
    took = time.monotonic() - begun_at
    whole(begun, bodies, before[:0])
    figure("backup_killed", f"{KILLS} kills at random, {len(kept) - len(before)} were done; the last took {took:.2f} s")
