"""A real store in a temporary folder, and hands to drive its queue with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from tests.store.hands import TestClock


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
async def store(tmp_path: Path, clock: TestClock) -> AsyncIterator[Store]:
    """The store as the roles open it, with threads, on trio."""
    async with open_store(
        DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path / "data", clock=clock
    ) as opened:
        yield opened
