"""Ten write into one database at once, each by a connection of its own: all is kept, none twice, nothing by half."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest
import trio

from pipeline.clock import SystemClock
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import open_store
from supervisor.instance import Instance
from tests.store.hands import page
from tests.test_reliability.roles import ask
from tests.test_reliability.sizes import figure

WRITERS = 10
EACH = 40  # of which the first ten are the same for all
SHARED = 10
KEPT = SHARED + WRITERS * (EACH - SHARED)


def urls(writer: int) -> list[str]:
    own = [f"https://example.org/{writer}/{number}" for number in range(EACH - SHARED)]
    return [*(f"https://example.org/shared/{number}" for number in range(SHARED)), *own]


def check(data: Path) -> None:
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"))) as database:
        assert ask(database, "PRAGMA integrity_check") == [("ok",)]
        assert ask(database, "SELECT count(*), count(DISTINCT url_key) FROM items") == [(KEPT, KEPT)]
        assert ask(database, "SELECT count(*) FROM work WHERE item_id IS NOT NULL") == [(KEPT,)]
        assert ask(database, "SELECT sum(n) FROM counts") == [(KEPT,)]


def test_ten_connections_that_write_at_once_keep_everything_once(data_dir: Path) -> None:
    """Each thread has an event loop, a store and a writer of its own, as ten processes have."""

    async def write(writer: int) -> int:
        settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
        async with open_store(*settings, folder=data_dir, clock=SystemClock()) as store:
            return len({(await store.items.accept(page(url))).uid for url in urls(writer)})

    with ThreadPoolExecutor(WRITERS) as threads:
        kept = list(threads.map(lambda writer: trio.run(write, writer), range(WRITERS)))
    assert kept == [EACH] * WRITERS
    check(data_dir)


@pytest.mark.slow
def test_ten_commands_that_add_at_once_keep_everything_once(data_dir: Path) -> None:
    atlas = Instance(data_dir)
    with ThreadPoolExecutor(WRITERS) as threads:
        given = ["\n".join(urls(writer)) for writer in range(WRITERS)]
        list(threads.map(lambda lines: atlas.command("add", "-", given=lines), given))
    check(data_dir)
    figure("writers", f"{WRITERS} processes with {EACH} saves each: {KEPT} items, none lost, none twice")
