"""F25: pages of the library are torn: found, nothing written after that, restored, the bad file kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
import trio

from pipeline import errors
from pipeline.clock import SystemClock
from pipeline.ids import system_random
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.damage import MARK, condemn, known
from pipeline.store.deep import examine
from pipeline.store.handle import Store, open_store
from pipeline.store.items import ItemFilter
from supervisor.backups.restore import restore
from supervisor.config import load
from supervisor.exits import Exit
from supervisor.instance import PLAIN, InstanceError, environment
from tests.store.hands import claim_all, page, run_through
from tests.test_reliability.clients import timed
from tests.test_reliability.roles import roles
from tests.test_reliability.sizes import figure, size
from tests.test_reliability.test_restore_killed import atlas

pytestmark = pytest.mark.fault

TRIALS = size("CORRUPTIONS", small=4, full=50)
PAGES_MOST = 100
PAGE = 4096
ITEMS, SINCE = 60, 5


def opened(folder: Path) -> contextlib.AbstractAsyncContextManager[Store]:
    settings = (DatabaseSettings(reserve_mib=0, reserve_percent=0), QueueSettings(), RetrySettings())
    return open_store(*settings, folder=folder, clock=SystemClock())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A library with a backup, and items that were accepted since; the backup's id."""
    folder = tmp_path_factory.mktemp("corrupted") / "data"
    folder.mkdir(mode=0o700)
    dice = random.Random(1)
    words = ["".join(dice.choices("abcdefghijklmnop", k=8)) for _ in range(3000)]

    async def fill(first: int, count: int, *, to_the_end: bool) -> None:
        async with opened(folder) as store:
            for n in range(first, first + count):
                await store.items.accept(page(f"https://example.org/{n}"))
                if to_the_end:
                    (claim,) = await claim_all(store)
                    await run_through(store, claim, text=" ".join(dice.choices(words, k=2000)))

    trio.run(lambda: fill(0, ITEMS, to_the_end=True))
    made = atlas(folder, "backup", "--json")
    assert made.returncode == 0, made.stderr
    trio.run(lambda: fill(ITEMS, SINCE, to_the_end=False))
    return folder, json.loads(made.stdout)["backup"]["id"]


def digest(folder: Path) -> dict[str, str]:
    names = ("atlas.db", "atlas.db-wal")
    there = [folder / name for name in names if (folder / name).exists() and (folder / name).stat().st_size]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in there}


def corrupt(path: Path, dice: random.Random) -> int:
    """Overwrite 1 to 100 pages; how many."""
    pages = path.stat().st_size // PAGE
    count = min(pages, dice.choice((1, 2, 5, 20, PAGES_MOST)))
    with path.open("r+b") as file:
        for number in dice.sample(range(pages), count):
            file.seek(number * PAGE)
            file.write(dice.randbytes(PAGE))
        file.flush()
        os.fsync(file.fileno())
    return count


async def use(store: Store, dice: random.Random) -> None:
    """What persons and the worker do, until the store says that it is damaged."""
    uids = [row.item.uid for row in (await store.items.list(ItemFilter(limit=200))).items]
    jobs: list[Callable[[], Awaitable[Any]]] = [store.status.figures, store.status.sweep, store.tokens.list]
    for uid in uids:
        jobs += [lambda uid=uid: store.items.document(uid), lambda uid=uid: store.items.steps(uid)]  # type: ignore[misc]
        jobs.append(lambda uid=uid: store.items.mark(uid, read=True))  # type: ignore[misc]
    for n in range(20):
        jobs.append(lambda n=n: store.items.accept(page(f"https://example.org/more/{n}")))  # type: ignore[misc]
        jobs.append(lambda: store.search.find("abc*"))
    dice.shuffle(jobs)
    for job in jobs:
        with contextlib.suppress(errors.NotFound):
            await job()


async def live(folder: Path, dice: random.Random) -> str:
    """Use a library whose pages were torn; by whom the damage was found: a read, a write, at the opening or by nobody.

    Asserts that not a byte is written once it was found.
    """
    async with opened(folder) as store:
        if store.status.damage() is None:
            with contextlib.suppress(errors.StoreDamaged):
                await use(store, dice)
        damage = store.status.damage()
        if damage is None:
            return ""
        before = digest(folder)
        with contextlib.suppress(errors.StoreDamaged):
            await use(store, dice)
        with pytest.raises(errors.StoreDamaged):
            await store.items.accept(page("https://example.org/refused"))
        where = damage.where
    assert digest(folder) == before
    async with opened(folder) as store:  # a process that starts later
        with pytest.raises(errors.StoreDamaged):
            await store.items.accept(page("https://example.org/refused"))
    assert digest(folder) == before
    return where


def trial(folder: Path, backup: str, dice: random.Random) -> tuple[str, float]:
    corrupt(folder / "atlas.db", dice)
    found = trio.run(live, folder, dice)
    if not found and condemn(folder, folder / "atlas.db", SystemClock()):
        found = "verification"
    if not found:
        assert examine(folder / "atlas.db") == ()
        return "nothing was hit", 0.0
    assert known(folder) is not None
    bad = digest(folder)
    config = load(environment=environment(PLAIN | {"ATLAS_DATA_DIR": str(folder)}), root=folder, cwd=folder).config
    began = time.monotonic()
    done = restore(config, backup, clock=SystemClock(), random=system_random, say=lambda _what: None)
    took = time.monotonic() - began
    assert done is not None
    aside = Path(done.replaced)
    assert digest(aside) == bad
    assert (aside / MARK).exists()
    trio.run(is_whole, folder)
    return found, took


async def is_whole(folder: Path) -> None:
    with contextlib.closing(apsw.Connection(str(folder / "atlas.db"))) as conn:
        assert conn.pragma("integrity_check") == "ok"
    async with opened(folder) as store:
        assert store.status.damage() is None
        found = (await store.items.list(ItemFilter(limit=200))).items
        done = [row.item.url for row in found if row.item.state == "done"]
        assert set(done) == {f"https://example.org/{n}" for n in range(ITEMS)}
        for row in found[-5:]:
            await store.items.document(row.item.uid)
        assert (await store.items.accept(page("https://example.org/after"))).created


def test_torn_pages_are_found_nothing_is_written_after_and_the_last_backup_comes_back(
    template: tuple[Path, str], tmp_path: Path
) -> None:
    source, backup = template
    found: list[str] = []
    seconds: list[float] = []
    for number in range(TRIALS):
        folder = tmp_path / str(number) / "data"
        shutil.copytree(source.parent / "backups", tmp_path / str(number) / "data" / "backups")
        shutil.copytree(source, folder, dirs_exist_ok=True)
        where, took = trial(folder, backup, random.Random(number))
        found.append(where)
        seconds.append(took)
        shutil.rmtree(tmp_path / str(number))
    size_mb = (source / "atlas.db").stat().st_size / 1e6
    told = ", ".join(f"{found.count(where)} {where}" for where in sorted(set(found)))
    figure(
        "F25",
        f"{TRIALS} times 1 to {PAGES_MOST} of {size_mb * 1e6 / PAGE:.0f} pages torn: found by: {told}; bytes written"
        f" after it was found: 0; {sum(took > 0 for took in seconds)} restored, each within {max(seconds):.1f} s"
        f" ({max(seconds) / size_mb * 1000:.0f} s/GB), the bad file kept byte by byte",
    )


def test_the_roles_stay_up_in_safe_mode_write_nothing_and_a_restore_brings_all_saves_back(tmp_path: Path) -> None:
    with roles(tmp_path, {"ATLAS_FALLBACK_PROVIDERS": ""}) as running:
        data = running.atlas.data
        api = running.start("api")
        first = running.save("https://example.invalid/first")
        backup = json.loads(running.atlas.command("backup", "--json"))["backup"]["id"]
        second = running.save("https://example.invalid/second")
        worker = running.start("worker")
        tear_root(data / "atlas.db", "search_data")  # which nobody has in memory, or writes anew
        read = timed(running.atlas, "GET", "/api/v1/search?q=tides")
        assert (read.status, json.loads(read.content)["code"]) == (503, "store_damaged")
        save = timed(running.atlas, "POST", "/api/v1/items", {"url": "https://example.invalid/refused"})
        refused = json.loads(save.content)
        assert save.status == 503
        assert refused["code"] == "store_damaged"
        assert "atlas restore" in refused["hint"]
        time_of_marking = (data / MARK).stat().st_mtime
        before = digest(data)
        with pytest.raises(InstanceError, match="is in use by"):
            running.atlas.command("restore", backup)
        for role in (worker, api):
            assert role.popen.poll() is None
        health = timed(running.atlas, "GET", "/health")
        report = json.loads(health.content)
        assert (health.status, report["status"], report["database"]) == (503, "down", "down")
        assert "damaged" in report["components"]["database"]["reason"]
        assert b"malformed" not in health.content, "what SQLite says is for the operator"
        ready = timed(running.atlas, "GET", "/ready")
        assert (ready.status, json.loads(ready.content)["database"]) == (503, "down")
        assert timed(running.atlas, "GET", "/livez").status == 200
        assert timed(running.atlas, "GET", "/api/v1/items").status == 200, "what can be read is read"
        assert worker.stop() == api.stop() == 0
        api, worker = running.start("api"), running.start("worker")
        assert worker.wait(3) is None, "it stays up, and works on nothing"
        assert "SAFE MODE" in running.atlas.command("status")
        assert "atlas_database_damaged" in running.atlas.ask("GET", "/metrics").body
        scheduler = running.atlas.start("scheduler")
        assert scheduler.wait(20) == Exit.OK
        with pytest.raises(InstanceError, match="nothing is written to it"):
            running.atlas.command("add", "https://example.invalid/third")
        assert worker.stop() == api.stop() == 0
        assert digest(data) == before
        assert (data / MARK).stat().st_mtime == time_of_marking
        done = json.loads(running.atlas.command("restore", backup, "--json"))
        assert digest(Path(done["replaced"])) == before
        running.start("api")
        assert {item["id"] for item in running.atlas.items()} >= {first, second}
        running.save("https://example.invalid/fourth")
    figure(
        "F25", "roles: both up in safe mode, also after a restart; 0 bytes written; every answered save is there after"
    )


def tear_root(path: Path, table: str) -> None:
    with contextlib.closing(apsw.Connection(str(path))) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
    with path.open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\xa7" * PAGE)
