"""Bodies: kept once, given back as they were, and never more than a few of them in memory."""

from __future__ import annotations

import hashlib

import pytest

from pipeline import errors
from pipeline.store.bodies import RECENT_BODIES, RECENT_BYTES, _Recent
from pipeline.store.handle import Store


async def test_a_body_comes_back_as_it_was_also_when_many_have_come_since(store: Store) -> None:
    first = await store.bodies.put(b"the first")
    for number in range(RECENT_BODIES + 1):
        await store.bodies.put(f"body {number}".encode())
    assert first == hashlib.sha256(b"the first").hexdigest()
    assert await store.bodies.get(first) == b"the first"


async def test_the_same_bytes_are_stored_once(store: Store) -> None:
    assert await store.bodies.put(b"same") == await store.bodies.put(b"same")


async def test_a_body_that_is_not_there_is_said_to_be_missing(store: Store) -> None:
    with pytest.raises(errors.StoreUnreadable, match="is missing"):
        await store.bodies.get("0" * 64)


def test_what_is_kept_in_memory_is_bounded_in_number_and_in_bytes() -> None:
    recent = _Recent(RECENT_BYTES, RECENT_BODIES)
    for number in range(1000):
        recent.keep(str(number), b"x")
    assert sum(recent.get(str(number)) is not None for number in range(1000)) == RECENT_BODIES
    large = b"x" * (RECENT_BYTES // 2)
    for name in ("a", "b", "c"):
        recent.keep(name, large)
    assert [recent.get(name) is not None for name in ("a", "b", "c")] == [False, True, True]
    recent.keep("too large", b"x" * (RECENT_BYTES + 1))
    assert recent.get("too large") is None
