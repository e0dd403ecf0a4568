"""What the api does beside its requests may end none of them."""

from __future__ import annotations

import asyncio

import pytest

from observability.log import get_logger
from observability.unexpected import Ledger
from pipeline import errors
from supervisor import api


def test_what_only_looks_on_is_begun_again_whatever_it_fails_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged table of roles had ended an api that could still serve everything else."""
    monkeypatch.setattr(api, "AGAIN_SECONDS", 0)
    mishaps, done = Ledger(lambda: 0), asyncio.Event()
    fails: list[Exception] = [errors.StoreUnreadable("the table roles is damaged"), ValueError("a bug")]

    async def job() -> None:
        if fails:
            raise fails.pop()
        done.set()
        await asyncio.sleep(3600)

    async def run() -> None:
        task = asyncio.create_task(api._for_ever("reporter", job, mishaps, get_logger()))
        await asyncio.wait_for(done.wait(), 10)
        task.cancel()

    asyncio.run(run())
    assert sorted(each.kind for each in mishaps.take()) == ["ValueError", "pipeline.errors.StoreUnreadable"]


def test_a_disk_that_fails_ends_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    async def job() -> None:
        raise errors.StoreBroken("the disk failed")

    with pytest.raises(errors.StoreBroken):
        asyncio.run(asyncio.wait_for(api._for_ever("reporter", job, Ledger(lambda: 0), get_logger()), 10))
