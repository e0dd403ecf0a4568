"""F32: whoever asks the store may be cancelled at any moment; no transaction stays open and no step half done."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import cast

import anyio
import apsw
import pytest

from pipeline import errors
from pipeline.items import StepEntry
from pipeline.lifecycle import hundred
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.store.items import ItemFilter
from pipeline.work import Advance
from tests.store.hands import NEXT, TestClock, page
from tests.store.workload import CODES, Ledger, advance, checkpointed_early, held_to, index_is_whole
from tests.test_reliability.sizes import figure, size

pytestmark = pytest.mark.fault

TRIES = size("TRIES", small=200, full=1000)
TOGETHER = 8  # callers at once, so that some are cancelled while others share their transaction
LONGEST_SECONDS = 0.004  # a write takes one to three milliseconds: all its phases are hit


class Callers:
    """Callers of everything, each with a deadline of its own that may fall anywhere."""

    def __init__(self, store: Store, connections: Sequence[apsw.Connection], seed: int) -> None:
        self._store = store
        self._connections = cast("Sequence[apsw.AsyncConnection]", connections)
        self._dice = Random(seed)
        self.ledger = Ledger()
        self.cancelled = 0
        self.answered = 0
        self._number = 0

    async def round(self) -> None:
        """Some callers at once, each cancelled at random; afterwards no transaction is open."""
        async with anyio.create_task_group() as group:
            for _ in range(TOGETHER):
                group.start_soon(self._one)
        await self._store.status.check()  # what was begun is over
        for conn in self._connections:
            assert not await conn.async_run(_in_transaction, cast(apsw.Connection, conn))

    async def _one(self) -> None:
        call = self._dice.choice([self._save, self._save, self._step, self._step, self._step, self._look, self._find])
        with anyio.move_on_after(self._dice.random() * LONGEST_SECONDS) as scope, contextlib.suppress(errors.LeaseLost):
            await call()
        self.cancelled += scope.cancelled_caught
        self.answered += not scope.cancelled_caught

    async def _save(self) -> None:
        self._number += 1
        name = f"x{self._number}"
        uid = (await self._store.items.accept(page(f"https://example.org/{name}"))).uid
        self.ledger.words[uid] = name

    async def _step(self) -> None:
        room = dict.fromkeys(NEXT, 1)
        for claim in await self._store.queue.claim(room, boot="boot"):
            assert claim.item is not None
            at = hundred(claim.stage)
            outcome: Advance = advance(claim, claim.item.url or "")
            steps = [StepEntry(code=CODES[at], at=1)]
            await self._store.queue.finish(claim, outcome, steps=steps, following=NEXT[at], boot="boot")
            self.ledger.steps.add((claim.subject, CODES[at]))

    async def _look(self) -> None:
        await self._store.items.list(ItemFilter(limit=50))

    async def _find(self) -> None:
        await self._store.search.find(f"x{self._number}")


def _in_transaction(conn: apsw.Connection) -> bool:
    return conn.in_transaction


async def _cancel_at_random(folder: Path, loop: str) -> None:
    with checkpointed_early() as connections:
        async with open_store(
            DatabaseSettings(), QueueSettings(), RetrySettings(), folder=folder, clock=TestClock()
        ) as store:
            callers = Callers(store, connections, seed=32)
            while callers.cancelled < TRIES:
                await callers.round()
                if callers.answered % 5 == 0:
                    await store.queue.release_all(boot="boot")  # as a worker's end does: nothing is stuck
            wrong = await held_to(store, callers.ledger)
            await index_is_whole(store)
    figure("F32", f"{loop}: {callers.cancelled} cancelled, {callers.answered} answered, {len(wrong)} wrong")
    assert wrong == []
    assert callers.answered > TRIES / 20, "hardly a call came to its end"


@pytest.mark.parametrize("loop", ["trio", "asyncio"])
def test_a_caller_cancelled_at_any_moment_leaves_no_transaction_open_and_no_step_by_half(
    tmp_path: Path, loop: str
) -> None:
    anyio.run(_cancel_at_random, tmp_path, loop, backend=loop)
