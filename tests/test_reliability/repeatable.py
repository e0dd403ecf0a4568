"""Runs of trio that a seed repeats, turn by turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

import pytest
import trio

T = TypeVar("T")


def repeatably(dice: Random, run: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """trio.run() in which the tasks take their turns as the dice say."""
    scheduler = trio._core._run
    scheduler._r.seed(dice.random())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        return trio.run(run, *arguments)
