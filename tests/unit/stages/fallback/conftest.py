"""A world outside for each test, and the jumping clock beside real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.stages.fallback.elsewhere import Elsewhere
from tests.unit.stages.fallback.elsewhere import elsewhere as _elsewhere
from tests.unit.stages.net.conftest import autojump_clock as _autojump_clock

autojump_clock = _autojump_clock


@pytest.fixture
async def world() -> AsyncIterator[Elsewhere]:
    async with _elsewhere() as made:
        yield made
