"""Checking a secret is a read: a store that takes no writes lets everybody in who may come in."""

from __future__ import annotations

from pathlib import Path

import apsw
import trio

from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from tests.store.faulty_disk import fails, faulty_disk
from tests.store.hands import TestClock


async def test_a_secret_is_checked_at_once_while_another_process_holds_the_write_lock(
    store: Store, tmp_path: Path
) -> None:
    secret = await store.tokens.create("phone", "read")
    other = apsw.Connection(str(tmp_path / "data" / "atlas.db"))
    other.execute("BEGIN IMMEDIATE")
    with trio.fail_after(1):
        for _ in range(3):
            assert await store.tokens.check(secret, session_ms=1) is not None
    other.execute("ROLLBACK")
    other.close()


async def test_a_secret_is_checked_also_on_a_full_disk(tmp_path: Path, clock: TestClock) -> None:
    with faulty_disk() as disk:
        async with open_store(
            DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path, clock=clock
        ) as store:
            secret = await store.tokens.create("phone", "read")
            disk.on_write = fails(apsw.SQLITE_FULL)
            assert await store.tokens.check(secret, session_ms=1) is not None
            disk.on_write = lambda _name: None


async def test_when_a_secret_was_used_last_is_kept_to_the_minute(store: Store, clock: TestClock) -> None:
    secret = await store.tokens.create("phone", "read")
    await store.tokens.check(secret, session_ms=1)
    first = clock.wall
    clock.pass_seconds(30)
    await store.tokens.check(secret, session_ms=1)
    assert [token.used_at for token in await store.tokens.list()] == [first]
    clock.pass_seconds(31)
    await store.tokens.check(secret, session_ms=1)
    assert [token.used_at for token in await store.tokens.list()] == [clock.wall]
