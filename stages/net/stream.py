"""One connection as the HTTP library wants it, on trio; closed for certain, also when TLS is cut short."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2
import trio

Transport = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class Stream(httpcore2.AsyncNetworkStream):
    """`connect_by` (trio time) is when TCP and TLS together must be done."""

    def __init__(self, transport: Transport, connect_by: float) -> None:
        self._transport = transport
        self._connect_by = connect_by

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _mapped(httpcore2.ReadTimeout, httpcore2.ReadError), trio.fail_after(_seconds(timeout)):
            return bytes(await self._transport.receive_some(max_bytes))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            with _mapped(httpcore2.WriteTimeout, httpcore2.WriteError), trio.fail_after(_seconds(timeout)):
                await self._transport.send_all(buffer)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 `connect_by` rules
    ) -> Stream:
        """The stream over TLS. On any failure, cancellation included, the connection is closed."""
        assert isinstance(self._transport, trio.SocketStream)
        over = trio.SSLStream(self._transport, ssl_context, server_hostname=server_hostname, https_compatible=True)
        try:
            with _mapped(httpcore2.ConnectTimeout, httpcore2.ConnectError), trio.fail_at(self._connect_by):
                await over.do_handshake()
        except BaseException as error:
            await trio.aclose_forcefully(over)
            if isinstance(error, httpcore2.ConnectError) and isinstance(cause := _tls_cause(error), ssl.SSLError):
                raise httpcore2.ConnectError(cause) from cause
            raise
        return Stream(over, self._connect_by)

    def get_extra_info(self, info: str) -> Any:
        transport = self._transport
        if info == "ssl_object":
            # trio has no public name for it; httpcore2's own trio backend reads the same attribute.
            return getattr(transport, "_ssl_object", None)
        bare = transport.transport_stream if isinstance(transport, trio.SSLStream) else transport
        if info == "socket":
            return bare.socket
        if info == "server_addr":
            return bare.socket.getpeername()
        return bare.socket.is_readable() if info == "is_readable" else None


def _seconds(timeout: float | None) -> float:
    return float("inf") if timeout is None else timeout


def _tls_cause(error: BaseException) -> BaseException | None:
    """trio reports a failed handshake as a broken stream, caused by the TLS error."""
    cause = error.__cause__
    return cause.__cause__ if isinstance(cause, trio.BrokenResourceError) else cause


@contextmanager
def _mapped(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except trio.TooSlowError as error:
        raise late(error) from error
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise broken(error) from error
