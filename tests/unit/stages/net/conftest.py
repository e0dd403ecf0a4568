"""The jumping clock beside real sockets."""

from __future__ import annotations

import pytest
import trio.testing


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """It leaves the kernel of a busy machine a moment to deliver what the other side has sent, before time jumps."""
    return trio.testing.MockClock(autojump_threshold=0.005)
