"""Buckets: refusing at once, in a bounded table."""

from __future__ import annotations

import asyncio

import pytest

from gateway.security import limits
from gateway.security.limits import Buckets
from pipeline.errors import RateLimited


def test_a_full_bucket_refuses_at_once_and_says_when_to_come_back() -> None:
    async def story() -> None:
        buckets = Buckets(2, 60, what="tries")
        await buckets.spend("a")
        await buckets.spend("a")
        async with asyncio.timeout(1):
            with pytest.raises(RateLimited) as caught:
                await buckets.spend("a")
        assert caught.value.retry_after == 30
        await buckets.spend("b")

    asyncio.run(story())


def test_looking_takes_nothing() -> None:
    async def story() -> None:
        buckets = Buckets(1, 60, what="tries")
        for _ in range(5):
            buckets.check("a")
        await buckets.spend("a")

    asyncio.run(story())


def test_the_table_forgets_who_was_not_seen_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BUCKETS", 3)

    async def story() -> None:
        buckets = Buckets(1, 60, what="tries")
        for key in "abcd":
            await buckets.spend(key)
        assert len(buckets) == 3
        await buckets.spend("a")
        with pytest.raises(RateLimited):
            await buckets.spend("d")

    asyncio.run(story())
