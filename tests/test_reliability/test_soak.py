"""F24: hours of saves at a steady rate with some faults; memory, descriptors, threads and the WAL do not grow."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from pathlib import Path

import apsw
import msgspec
import pytest

from pipeline.store.status import ActorReport
from supervisor.instance import Process
from tests.test_reliability.roles import ask, roles, sound
from tests.test_reliability.sizes import figure, size
from tools.bench import processes
from tools.bench.run import bench_site

pytestmark = pytest.mark.fault

SECONDS = size("SOAK_SECONDS", small=20, full=3600)
EACH_SECOND = 4  # saves: 14,400 an hour
PAGES = SECONDS * EACH_SECOND
ONE_IN = 100  # of the saves is a page that is not there
WAL_MOST = 64 << 20
# Half an hour after the start a resident set still breathes by some MiB; a leak of a KiB an item would show 14 MiB.
MIB_AN_HOUR = 8.0
LONG = 1800  # seconds below which warming up hides the slope


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What one role uses at one moment."""

    at: float
    kib: int
    descriptors: int
    threads: int


def sample(process: Process) -> Sample:
    return Sample(
        at=time.monotonic(),
        kib=processes.resident(process.pid),
        descriptors=len(os.listdir(f"/proc/{process.pid}/fd")),  # noqa: PTH208
        threads=len(os.listdir(f"/proc/{process.pid}/task")),  # noqa: PTH208
    )


def mib_an_hour(samples: list[Sample]) -> float:
    """The slope of the resident set over the later half, by least squares."""
    later = samples[len(samples) // 2 :]
    slope, _ = statistics.linear_regression([s.at for s in later], [float(s.kib) for s in later])
    return slope * 3600 / 1024


def settled(samples: list[Sample]) -> tuple[int, int]:
    """The fewest descriptors and threads over the last fifth: what is held, without what comes and goes."""
    last = samples[-max(1, len(samples) // 5) :]
    return min(s.descriptors for s in last), min(s.threads for s in last)


def restarted(data: Path) -> list[str]:
    """The actors that the worker says it restarted."""
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        (report,) = ask(database, "SELECT report FROM roles WHERE role = 'worker'")
    return [actor.name for actor in msgspec.json.decode(report[0], type=tuple[ActorReport, ...]) if actor.restarts]


def test_a_long_time_of_saves_and_faults_costs_no_more_than_a_short_one(tmp_path: Path) -> None:
    wal, largest = tmp_path / "data" / "atlas.db-wal", 0
    with bench_site(tmp_path / "site", pages=PAGES) as site, roles(tmp_path) as running:
        both = {role: running.start(role) for role in ("api", "worker")}
        seen: dict[str, list[Sample]] = {role: [] for role in both}
        begun = time.monotonic()
        for second in range(SECONDS):
            for number in range(second * EACH_SECOND, (second + 1) * EACH_SECOND):
                running.save(f"{site}/gone/{number}" if number % ONE_IN == 0 else f"{site}/p/{number}")
            for role, process in both.items():
                assert process.wait(0.0) is None, f"the {role} ended"
                seen[role].append(sample(process))
            largest = max(largest, wal.stat().st_size)
            both["api"].wait(max(0.0, begun + second + 1 - time.monotonic()))
        both["worker"].wait_for(lambda: running.ended(PAGES), seconds=120, what="finishing")
        for role, process in both.items():
            seen[role] += [sample(process) for _ in range(5)]
        items = running.atlas.items()
        dead = [item for item in items if item["state"] == "dead"]
        assert {"/gone/" in item["url"] for item in dead} == {True}
        assert len(dead) == -(-PAGES // ONE_IN)
        assert restarted(tmp_path / "data") == []
        for role, samples in seen.items():
            early, late = settled(samples[: len(samples) // 2]), settled(samples)
            figure(
                "F24",
                f"{role}: {SECONDS} s, {samples[-1].kib / 1024:.0f} MiB, {mib_an_hour(samples):+.1f} MiB/h, "
                f"descriptors {early[0]} → {late[0]}, threads {early[1]} → {late[1]}, WAL at most {largest >> 20} MiB",
            )
            assert late[0] <= early[0] + 2
            assert late[1] <= early[1] + 2
            if SECONDS >= LONG:
                assert mib_an_hour(samples) <= MIB_AN_HOUR
        assert largest <= WAL_MOST
        assert [process.stop() for process in both.values()] == [0, 0]
    sound(tmp_path / "data")
