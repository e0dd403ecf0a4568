"""What of a body without end reaches the app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.security.body import BodyCap

CHUNK = {"type": "http.request", "body": b"x" * 40, "more_body": True}
LEFT = {"type": "http.disconnect"}


async def received(*messages: Any, limit: int = 100) -> list[Any]:
    """All that an app gets that asks until the client has gone."""
    coming: Iterator[Any] = iter([*messages, LEFT])
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while not got or got[-1] != LEFT:
            got.append(await receive())

    async def receive() -> Any:
        return next(coming)

    await BodyCap(app, limit)({"type": "http"}, receive, None)  # type: ignore[arg-type]
    return got


async def test_a_body_within_the_limit_passes_as_it_is() -> None:
    end = {"type": "http.request", "body": b"y" * 20, "more_body": False}
    assert await received(CHUNK, CHUNK, end) == [CHUNK, CHUNK, end, LEFT]


async def test_a_body_ends_with_the_message_that_makes_it_too_long_and_the_rest_is_dropped() -> None:
    assert await received(*[CHUNK] * 1000) == [CHUNK, CHUNK, {**CHUNK, "more_body": False}, LEFT]
