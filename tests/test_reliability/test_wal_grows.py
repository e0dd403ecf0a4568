"""F9: another process reads one snapshot for very long: saving goes on, the alarm is seen, then the log is cut back."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from supervisor.instance import Process
from tests.test_reliability.clients import Busy, Timed, p99, timed
from tests.test_reliability.roles import Roles, ask, roles
from tests.test_reliability.sizes import figure, size
from tests.test_reliability.small_disk import small_disk

pytestmark = pytest.mark.fault

HELD_SECONDS = size("SNAPSHOT_SECONDS", small=9, full=600)
EACH_SECOND = 100  # saves, each a commit of its own, until the alarm is seen
AFTERWARDS = 2  # a second, for the rest of the time: a save costs 85 KB of log, so 256 MiB are a matter of time
MIB = 1 << 20
ALARM, MOST = 64 * MIB, 256 * MIB
BACK_SECONDS = 30.0  # two commits: after one it is copied, the next begins it anew; an idle api reports every 10 s
DISK_MIB, RESERVE_MIB = 128, 25

READER = """
import sys, apsw
database = apsw.Connection(sys.argv[1], flags=apsw.SQLITE_OPEN_READONLY)
database.execute("BEGIN")
database.execute("SELECT count(*) FROM items").fetchall()
print("held", flush=True)
sys.stdin.readline()
database.execute("ROLLBACK")
"""


@contextmanager
def snapshot_held(database: Path) -> Iterator[None]:
    """Another process reads one snapshot of `database` until the block ends."""
    command = [sys.executable, "-P", "-c", READER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        try:
            assert reader.stdout.readline() == b"held\n"
            yield
        finally:
            reader.stdin.close()
            assert reader.wait(10) == 0


class Log:
    """The write-ahead log of the library, as its file is and as monitors are told."""

    def __init__(self, running: Roles) -> None:
        self._running = running
        self._file = running.atlas.data / "atlas.db-wal"

    @property
    def size(self) -> int:
        return self._file.stat().st_size

    def told(self) -> float:
        """`atlas_wal_bytes` of GET /metrics."""
        return metric(self._running, r'atlas_wal_bytes\{database="atlas"\}')

    def state(self) -> str:
        """The component `wal` of GET /health."""
        return str(self._running.atlas.ask("GET", "/health").body["components"]["wal"]["state"])

    def is_alarming(self) -> bool:
        return self.told() > ALARM and self.state() != "ok"

    def is_back(self) -> bool:
        return self.size <= ALARM and self.state() == "ok"


def metric(running: Roles, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", running.atlas.ask("GET", "/metrics").body, re.MULTILINE)
    assert found is not None, f"/metrics does not tell {name}"
    return float(found[1])


def commits(running: Roles) -> float:
    return metric(running, r'atlas_commit_seconds_count\{database="atlas",role="api"\}')


def saving(running: Roles, name: str) -> Callable[[int], Timed]:
    """Save one more page, which nobody fetches: there is no worker."""

    def save(number: int) -> Timed:
        return timed(running.atlas, "POST", "/api/v1/items", {"url": f"http://127.0.0.1:9/{name}/{number}"})

    return save


def until(role: Process, done: Callable[[], bool], *, seconds: float, what: str) -> float:
    """How long it took."""
    begun = time.monotonic()
    role.wait_for(done, seconds=seconds, what=what)
    return time.monotonic() - begun


def kept(data: Path) -> int:
    """How many items the library has; it is whole, and its counts are right."""
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"))) as database:
        assert ask(database, "PRAGMA integrity_check") == [("ok",)]
        ((found,),) = ask(database, "SELECT count(*) FROM items")
        assert ask(database, "SELECT sum(n) FROM counts") == [(found,)]
        return int(found)


def test_a_snapshot_that_is_held_raises_the_alarm_and_holds_up_nobody_and_the_log_is_cut_back_after(
    tmp_path: Path,
) -> None:
    with roles(tmp_path) as running:
        api, log = running.start("api"), Log(running)
        quick = Busy(saving(running, "quick"), threads=4, pause=4 / EACH_SECOND - 0.01)
        slow = Busy(saving(running, "slow"), pause=1 / AFTERWARDS)
        read = Busy(lambda _: timed(running.atlas, "GET", "/api/v1/items?limit=20"), pause=0.02)
        with read, contextlib.ExitStack() as stack:
            with snapshot_held(running.atlas.data / "atlas.db"):
                begun, before = time.monotonic(), commits(running)
                with quick:
                    alarmed = until(api, log.is_alarming, seconds=60, what="raising the alarm")
                rate = (commits(running) - before) / (time.monotonic() - begun)
                stack.enter_context(slow)
                assert api.wait(max(0.0, begun + HELD_SECONDS - time.monotonic())) is None
                largest, state = log.size, log.state()
            back = until(api, log.is_back, seconds=BACK_SECONDS, what="cutting the log back")
            left = log.size
        answers = quick.answers + slow.answers
        reads, slowest = p99([answer.seconds for answer in read.answers]), max(a.seconds for a in answers)
        assert {answer.status for answer in answers} == {202}
        assert {answer.status for answer in read.answers} == {200}
        assert state == "warning"
        assert ALARM < largest <= MOST
        assert slowest <= 1.0
        assert reads <= 0.5
        assert api.stop() == 0
        assert kept(running.atlas.data) == len(answers)
    figure(
        "F9",
        f"a snapshot held {HELD_SECONDS} s, {rate:.0f} commits/s: alarm after {alarmed:.1f} s, log at most"
        f" {largest / MIB:.0f} MiB ({largest / len(answers) / 1000:.0f} KB a save),"
        f" slowest save {slowest * 1000:.0f} ms, reads p99 {reads * 1000:.0f} ms;"
        f" {left / MIB:.0f} MiB {back:.1f} s after it ended",
    )


def test_a_log_that_cannot_be_cut_back_stops_saving_before_the_disk_is_full_and_all_goes_on_by_itself(
    tmp_path: Path,
) -> None:
    settings = {"ATLAS_DATABASE_RESERVE_MIB": str(RESERVE_MIB), "ATLAS_DATABASE_RESERVE_PERCENT": "0"}
    with small_disk(tmp_path / "disk", mib=DISK_MIB) as disk, roles(tmp_path / "disk", settings) as running:
        api, log = running.start("api"), Log(running)
        saves = Busy(saving(running, "fast"), threads=2, pause=0.01)
        read = Busy(lambda _: timed(running.atlas, "GET", "/api/v1/items?limit=20"), pause=0.02)

        def refused() -> bool:
            return any(not answer.was_kept for answer in saves.answers)

        with read:
            with snapshot_held(running.atlas.data / "atlas.db"):
                with saves:
                    filled = until(api, refused, seconds=60, what="refusing")
                largest, left = log.size, disk.free
            later = Busy(saving(running, "later"), pause=0.1)
            with later:
                resumed = until(api, lambda: bool(later.kept), seconds=BACK_SECONDS, what="saving again")
            back = until(api, log.is_back, seconds=BACK_SECONDS, what="cutting the log back")
        answers = saves.answers + later.answers
        assert {answer.status for answer in answers} == {202, 507}
        assert {answer.status for answer in read.answers} == {200}
        assert left >= RESERVE_MIB * MIB / 2  # the disk is looked at once a second
        assert api.stop() == 0
        assert kept(running.atlas.data) == sum(answer.was_kept for answer in answers)
    figure(
        "F9",
        f"a disk of {DISK_MIB} MiB, {RESERVE_MIB} kept: log {largest / MIB:.0f} MiB when saves were refused after"
        f" {filled:.1f} s, {left / MIB:.0f} MiB left; saving {resumed:.1f} s after the reader ended, cut back"
        f" {back:.1f} s later; 0 lost of {sum(answer.was_kept for answer in answers)}",
    )
