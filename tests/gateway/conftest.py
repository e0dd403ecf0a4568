"""The gateway on a real store, on asyncio: `gateway(story)` runs one story against a fresh one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.deps import Deps
from gateway.news import News
from gateway.settings import ApiSettings
from observability.unexpected import Ledger
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import open_store
from tests.gateway.site import Site
from tests.store.hands import TestClock

Story = Callable[[Site], Awaitable[None]]


async def _no_worker() -> str | None:
    return None


@pytest.fixture
def gateway(tmp_path: Path) -> Callable[..., None]:
    def run(story: Story, *, queue: QueueSettings | None = None, **settings: Any) -> None:
        async def play() -> None:
            clock = TestClock()
            limits = queue or QueueSettings()
            async with open_store(DatabaseSettings(), limits, RetrySettings(), folder=tmp_path, clock=clock) as store:
                rings: list[None] = []
                deps = Deps(
                    store=store,
                    settings=ApiSettings(**settings),
                    clock=clock,
                    ring=lambda: rings.append(None),
                    version="test",
                    news=News(),
                    mishaps=Ledger(clock.wall_ms),
                    worker_metrics=_no_worker,
                    scrape=lambda: None,
                )
                site = Site(deps=deps, app=create_app(deps), clock=clock, rings=rings, folder=tmp_path)
                await asyncio.wait_for(story(site), 30)

        asyncio.run(play())

    return run
