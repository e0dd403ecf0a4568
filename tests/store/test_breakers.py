"""Breakers and quotas survive a restart; what has nothing to say is forgotten."""

from __future__ import annotations

import trio

from pipeline.breaker import Breaker, BreakerState
from pipeline.store.handle import Store


async def test_a_breaker_is_kept_as_it_was_and_forgotten_once_it_is_closed(store: Store) -> None:
    opened = Breaker(
        name="host:example.org",
        state=BreakerState.OPEN,
        failures=5,
        opens=2,
        opened_at=1,
        probe_at=2,
        reason="HTTP 503",
    )
    failing = Breaker(name="host:example.com", failures=1, reason="timeout")
    await store.breakers.save(opened)
    await store.breakers.save(failing)
    assert await store.breakers.all() == (failing, opened)
    await store.breakers.save(Breaker(name="host:example.org"))
    assert await store.breakers.all() == (failing,)


async def test_a_daily_limit_is_never_passed_however_many_ask_at_once(store: Store) -> None:
    allowed: list[bool] = []

    async def ask() -> None:
        allowed.append(await store.breakers.spend("google", "2026-11-24", 10))

    async with trio.open_nursery() as nursery:
        for _ in range(25):
            nursery.start_soon(ask)
    assert sum(allowed) == 10
    assert await store.breakers.used("google", "2026-11-24") == 10
    assert await store.breakers.spend("google", "2026-11-25", 10)
    assert await store.breakers.spend("brave", "2026-11-24", 10)


async def test_the_counts_of_days_long_gone_are_forgotten(store: Store) -> None:
    for day in range(1, 29):
        await store.breakers.spend("google", f"2026-11-{day:02}", 10)
    assert await store.breakers.used("google", "2026-11-01") == 0
    assert await store.breakers.used("google", "2026-11-28") == 1
