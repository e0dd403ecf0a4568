"""The outermost middleware: every request gets an id and a trace, is counted, timed and logged, whoever answers it."""

from __future__ import annotations

import re
from typing import Final

from gateway.deps import Deps
from gateway.security.cap import Application, Message, Receive, Send
from gateway.security.headers import SECURITY
from gateway.seen import KEY, Seen
from observability import carrier, log, metrics, trace
from observability.names import Attribute, Event, Span

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_GONE: Final = 499  # the client went away before there was an answer

logger = log.get_logger()


class Observed:
    """ASGI middleware. The id is the client's X-Request-ID when that is a sane one; its traceparent is gone on from."""

    def __init__(self, app: Application, deps: Deps) -> None:
        self._app = app
        self._deps = deps

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()  # the handshake: unread, it would keep Hypercorn from ending the connection
            await self._refuse(scope, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._deps.clock.monotonic()
        method = scope["method"] if scope["method"] in _METHODS else "other"
        given = _headers(scope)
        asked = given.get(b"x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else self._deps.random(8).hex()
        parent = carrier.parse(given.get(b"traceparent"), correlation_id=request_id)
        attributes = {Attribute.HTTP_METHOD: method, Attribute.CORRELATION: request_id}
        with trace.span(Span.REQUEST, attributes, parent=parent or {}, kind="server") as span:
            context = self._context(span, parent, request_id)
            seen = scope[KEY] = Seen(request_id=request_id, trace=context, span=span)
            with trace.about(context):
                try:
                    await self._app(scope, receive, _telling(send, seen))
                except Exception as error:  # past the gateway's own answer to errors; the server closes the connection
                    error_id = self._deps.mishaps.note(error, place="request", correlation_id=request_id)
                    seen.status, seen.facts["error_id"] = seen.status or 500, error_id
                    raise
                finally:
                    _tell(seen, method, self._deps.clock.monotonic() - began)

    async def _refuse(self, scope: Message, send: Send) -> None:
        """There are no web sockets here; without this the handshake would end in a bare 500."""
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        ours = {**SECURITY, "Content-Type": "text/plain; charset=utf-8", "X-Request-ID": self._deps.random(8).hex()}
        headers = [(name.lower().encode(), value.encode()) for name, value in ours.items()]
        await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"There are no web sockets here.\n"})

    def _context(self, span: trace.Live, parent: dict[str, str] | None, request_id: str) -> dict[str, str]:
        """Of the span; without a tracer the client's own, or a new one: ids are told and stored all the same."""
        own = span.carrier()
        if own:
            return own | {"correlation_id": request_id}
        return parent or carrier.new_trace(self._deps.random, correlation_id=request_id)


def _headers(scope: Message) -> dict[bytes, str]:
    return {name: value.decode("latin-1") for name, value in scope["headers"]}


def _telling(send: Send, seen: Seen) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            seen.status = message["status"]
            ours = [(b"x-request-id", seen.request_id.encode()), (b"traceparent", seen.trace["traceparent"].encode())]
            message = {**message, "headers": [*message.get("headers", ()), *ours]}
        await send(message)

    return tell


def _tell(seen: Seen, method: str, seconds: float) -> None:
    status = seen.status or _GONE
    metrics.REQUESTS.add(method=method, endpoint=seen.endpoint, status=str(status))
    metrics.REQUEST_SECONDS.record(seconds, method=method, endpoint=seen.endpoint)
    seen.span.set({Attribute.HTTP_ROUTE: seen.endpoint, Attribute.HTTP_STATUS: status})
    if status >= 500:
        seen.span.fail(f"HTTP {status}")
    say = logger.warning if status >= 500 else logger.debug if method in _READS else logger.info
    duration = round(seconds, 4)
    say(Event.REQUEST_SERVED, method=method, endpoint=seen.endpoint, status=status, duration=duration, **seen.facts)
