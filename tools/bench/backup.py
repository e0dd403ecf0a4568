"""`just bench backup`: a backup of a large library under load: seconds, memory, and what writers notice of it."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import apsw
import trio
import zstandard

from pipeline.clock import SystemClock
from pipeline.items import Submission
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.text.urls import canonicalise
from supervisor.config import CHECKOUT
from tools.bench.run import say, workplace

GB: Final = 1_000_000_000
WORDS_A_PAGE: Final = 1000
MARKUP: Final = 4  # a page's HTML is so many times as long as its text
PARTS: Final = 5  # that the text of a page is put together from
BATCH: Final = 500
BODY_BYTES: Final = 20_000  # of a page, packed
QUIET_SECONDS: Final = 10.0  # of writing alone, before and after


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Of saves, in ms."""

    saves: int
    p50: float
    p99: float
    most: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    library_gb: float
    archive_gb: float
    made_seconds: float
    parts: dict[str, float]
    seconds_per_gb: float  # of the library: all of `atlas backup` when there is nothing new in the archive
    cpu_seconds: float  # of processor time: what a busy machine does not change
    peak_mib: float
    first_seconds: float  # the first backup, which takes the whole archive
    first_peak_mib: float
    drill_seconds: float
    drill_peak_mib: float
    alone: Latency
    meanwhile: Latency


@dataclass(kw_only=True)
class Writing:
    """Saves at a steady rate, each with when it began and how long it took."""

    rate: float
    taken: list[tuple[float, float]] = field(default_factory=list)
    stop: bool = False

    async def run(self, store: Store) -> None:
        begun, number = trio.current_time(), 0
        while not self.stop:
            await trio.sleep_until(begun + number / self.rate)
            url = f"https://writes.example/{time.monotonic_ns()}"
            at = time.monotonic()
            await store.items.accept(Submission(url=url, url_key=canonicalise(url)))
            self.taken.append((at, (time.monotonic() - at) * 1000))
            number += 1

    def between(self, start: float, end: float) -> list[float]:
        return [took for at, took in self.taken if start <= at < end]


def latency(taken: list[float]) -> Latency:
    ordered = sorted(taken)

    def part(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2)

    return Latency(saves=len(ordered), p50=part(0.5), p99=part(0.99), most=round(ordered[-1], 2))


async def with_store(folder: Path, writing: Writing | None) -> None:
    # Saves that nobody works on may be many here.
    settings = (DatabaseSettings(), QueueSettings(max_size=10**6, max_backlog=10**7), RetrySettings())
    async with open_store(*settings, folder=folder, clock=SystemClock()) as store:
        if writing is not None:
            await writing.run(store)


def fill(folder: Path, *, gb: float, archive_gb: float) -> None:
    """A library of that size, with an index, and an archive; made past the stages, which would take an hour."""
    trio.run(with_store, folder, None)
    dice, number = random.Random(1), _pages(folder)
    words = [f"{dice.choice('bcdfgklmnprstv')}{dice.choice('aeiou')}{n:x}" for n in range(20_000)]
    weights = [1 / (n + 10) for n in range(len(words))]
    parts = [" ".join(dice.choices(words, weights, k=WORDS_A_PAGE // PARTS)) for _ in range(2000)]
    atlas, archive = apsw.Connection(str(folder / "atlas.db")), apsw.Connection(str(folder / "archive.db"))
    with closing(atlas), closing(archive):
        for each in (atlas, archive):
            each.pragma("synchronous", "off")
        while (folder / "atlas.db").stat().st_size < gb * GB:
            with atlas, archive:
                for _ in range(BATCH):
                    number += 1
                    _page(atlas, number, " ".join(dice.choices(parts, k=PARTS)))
            atlas.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        while (folder / "archive.db").stat().st_size < archive_gb * GB:
            with archive:
                for _ in range(BATCH):
                    _body(archive, dice.randbytes(BODY_BYTES))
            archive.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _pages(folder: Path) -> int:
    with closing(apsw.Connection(str(folder / "atlas.db"))) as atlas:
        return int(atlas.execute("SELECT coalesce(max(id), 0) FROM items").get)


def _page(atlas: apsw.Connection, number: int, text: str) -> None:
    key = f"https://example.org/{number}"
    atlas.execute(
        """INSERT INTO items (id, uid, kind, url, url_key, host, stage, state, source, created_at, changed_at,
               raised_at)
           VALUES (?, ?, 'page', ?, ?, 'example.org', 590, 'done', 'bench', 1, 1, ?)""",
        (number, f"u{number:010}", key, key, number),
    )
    atlas.execute(
        """INSERT INTO documents (item_id, title, text, markdown, html, method, language, extracted_at)
           VALUES (?, ?, ?, ?, ?, 'bench', 'en', 1)""",
        (number, text[:60], text, text, f"<p>{text}</p>" * MARKUP),
    )
    atlas.execute("INSERT INTO search (rowid, title, text) VALUES (?, ?, ?)", (number, text[:60], text))
    for code in (110, 190, 290, 390, 490, 540, 590):
        atlas.execute("INSERT INTO steps (item_id, at, code) VALUES (?, 1, ?)", (number, code))


def _body(archive: apsw.Connection, content: bytes) -> None:
    data = zstandard.ZstdCompressor(level=3).compress(content)
    archive.execute(
        "INSERT INTO bodies (hash, size, stored_at, data) VALUES (?, ?, 1, ?)",
        (hashlib.sha256(content).hexdigest(), len(content), data),
    )


def command(folder: Path, *arguments: str) -> tuple[dict[str, Any], float, float, float]:
    """What `atlas …` printed, how long it took, how much of that it worked, and its peak memory in MiB."""
    begun = time.monotonic()
    environ = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    call = [sys.executable, "-P", "-m", "supervisor", *arguments, "--data", str(folder), "--json"]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ)
    assert process.stdout is not None
    with process.stdout:
        printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}: {printed.decode()}")
    worked = used.ru_utime + used.ru_stime
    return json.loads(printed), time.monotonic() - begun, worked, used.ru_maxrss / 1024


def measure(given: Path | None, *, gb: float, archive_gb: float, rate: float) -> Figures:
    with contextlib.nullcontext(given) if given is not None else workplace() as folder:
        fill(folder, gb=gb, archive_gb=archive_gb)
        _, first, _, first_peak = command(folder, "backup")
        writing = Writing(rate=rate)
        thread = threading.Thread(target=trio.run, args=(with_store, folder, writing))
        thread.start()
        try:
            begun = time.monotonic()
            threading.Event().wait(QUIET_SECONDS)
            start = time.monotonic()
            made, seconds, worked, peak = command(folder, "backup")
            end = time.monotonic()
            threading.Event().wait(QUIET_SECONDS)
        finally:
            writing.stop = True
            thread.join()
        name = made["backup"]["id"]
        manifest = json.loads((folder / "backups" / name / "manifest.json").read_bytes())
        check = json.loads((folder / "backups" / name / "check.json").read_bytes())
        _, drill, _, drill_peak = command(folder, "backup", "drill")
        size = manifest["database"]["bytes"] / GB
        return Figures(
            library_gb=round(size, 3),
            archive_gb=round((folder / "archive.db").stat().st_size / GB, 3),
            made_seconds=round(seconds, 2),
            parts=manifest["seconds"] | {"check": check["seconds"]},
            seconds_per_gb=round(seconds / size, 2),
            cpu_seconds=round(worked, 2),
            peak_mib=round(peak, 1),
            first_seconds=round(first, 2),
            first_peak_mib=round(first_peak, 1),
            drill_seconds=round(drill, 2),
            drill_peak_mib=round(drill_peak, 1),
            alone=latency(writing.between(begun, start) + writing.between(end, end + QUIET_SECONDS)),
            meanwhile=latency(writing.between(start, end)),
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=1.0, help="size of the library")
    parser.add_argument("--archive-gb", type=float, default=0.5)
    parser.add_argument("--rate", type=float, default=100.0, help="saves a second meanwhile")
    parser.add_argument("--folder", type=Path, help="where to make that library, or one of an earlier run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.folder, gb=options.gb, archive_gb=options.archive_gb, rate=options.rate)
    if options.json:
        say(json.dumps(asdict(found)))
        return 0
    parts = ", ".join(f"{name} {took:.1f}" for name, took in found.parts.items())
    say(f"library  {found.library_gb:.2f} GB, archive {found.archive_gb:.2f} GB")
    say(f"first    {found.first_seconds:.1f} s with the whole archive, {found.first_peak_mib:.0f} MiB at most")
    say(f"backup   {found.made_seconds:.1f} s, {found.seconds_per_gb:.1f} s/GB, {found.peak_mib:.0f} MiB at most")
    say(f"         of it in s: {parts}; {found.cpu_seconds:.1f} s of processor time")
    say(f"drill    {found.drill_seconds:.1f} s, {found.drill_peak_mib:.0f} MiB at most")
    for name, taken in (("alone", found.alone), ("while", found.meanwhile)):
        say(f"saves    {name}: {taken.saves}, p50 {taken.p50} ms, p99 {taken.p99} ms, at most {taken.most} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
