"""The HTTP library's connection pool, mended: a cancelled request takes no slot with it."""

from __future__ import annotations

import anyio
import httpcore2


class Pool(httpcore2.AsyncConnectionPool):
    """httpcore2 2.16 loses a connection whose request is cancelled after it was opened and before anything was sent: it
    is not idle and not closed, belongs to no request, and keeps its slot and its socket for good (the lock in
    `AsyncHTTP11Connection.handle_async_request` is taken outside of its `try`; httpcore#1093, #1099).
    """

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        try:
            return await super().handle_async_request(request)
        except BaseException:
            await self._close_orphans()
            raise

    async def _close_orphans(self) -> None:
        owned = {waiting.connection for waiting in self._requests}
        orphans = [one for one in self._connections if one not in owned and not one.is_idle()]
        if orphans:
            self._connections = [one for one in self._connections if one not in orphans]
            closing = self._assign_requests_to_connections()
            with anyio.move_on_after(1, shield=True):
                for connection in (*orphans, *closing):
                    await connection.aclose()
