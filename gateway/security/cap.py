"""The cap on requests in hand: Hypercorn has none of its own, so the one past it is told to come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.security.headers import SECURITY

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

_BODY = json.dumps(
    {
        "type": "urn:atlas:problem:overloaded",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "All connections are in use.",
        "code": "overloaded",
        "hint": "Try again in a moment.",
    }
).encode()


class RequestCap:
    """ASGI middleware: at most `limit` requests at once."""

    def __init__(self, app: Application, limit: int) -> None:
        self._app = app
        self._limit = limit
        self.in_hand = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self.in_hand >= self._limit:
            await _refuse(receive, send)
            return
        self.in_hand += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.in_hand -= 1


async def _refuse(receive: Receive, send: Send) -> None:
    """What comes meanwhile is dropped: Hypercorn ends an answer only when its queue has room for the news of it, so
    with a piece of a body in there that nobody reads the connection would stay open for ever."""
    async with asyncio.TaskGroup() as tasks:
        dropping = tasks.create_task(_drop(receive))
        await _answer(send)
        dropping.cancel()


async def _drop(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send) -> None:
    headers = SECURITY | {"Content-Type": "application/problem+json", "Retry-After": "1"}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 503, "headers": encoded})
    await send({"type": "http.response.body", "body": _BODY, "more_body": False})
