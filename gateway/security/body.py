"""The cap on bodies that do not say their length: past the limit they end for the app, and the rest is dropped."""

from __future__ import annotations

from gateway.security.cap import Application, Message, Receive, Send


class BodyCap:
    """ASGI middleware: the app gets more than `limit` bytes by at most one message, so that it can see it is too much.

    Quart before 0.23 stops keeping a body that outgrows MAX_CONTENT_LENGTH. From then on it looks when all has come.
    """

    def __init__(self, app: Application, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await self._app(scope, _capped(receive, self._limit) if scope["type"] == "http" else receive, send)


def _capped(receive: Receive, limit: int) -> Receive:
    received = 0

    async def next_message() -> Message:
        nonlocal received
        message: Message = await receive()
        while message["type"] == "http.request" and received > limit:
            message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > limit:
                return {**message, "more_body": False}
        return message

    return next_message
