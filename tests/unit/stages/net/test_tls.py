"""https over real sockets: verified, cut off when it stalls, and HTTP/2 when the server speaks it."""

from __future__ import annotations

import gzip
import ssl
import subprocess

import h2.config
import h2.connection
import h2.events
import pytest
import trio
import trio.testing

from pipeline.errors import (
    TlsFailed,
)
from tests.unit.stages.net.site import fetcher, reply


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for site.test and its key, made for this run."""
    folder = tmp_path_factory.mktemp("tls")
    chain, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=site.test"
    names = ["-addext", "subjectAltName=DNS:site.test", "-keyout", key, "-out", chain]
    try:
        subprocess.run([*command.split(), *names], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return chain, key


async def _serve_tls(stream: trio.SocketStream, context: ssl.SSLContext, seen: list[str]) -> None:
    over = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    try:
        await over.do_handshake()
        seen.append(over.selected_alpn_protocol() or "")  # type: ignore[attr-defined]
        await over.receive_some(65536)
        await over.send_all(reply(b"private"))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    finally:
        await trio.aclose_forcefully(over)


async def test_https_is_verified(certificate: tuple[str, str]) -> None:
    chain, key = certificate
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    trusting = ssl.create_default_context(cafile=chain)
    seen: list[str] = []
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, lambda stream: _serve_tls(stream, server, seen), listeners)
        async with fetcher(tls=trusting) as fetch:
            assert (await fetch.fetch(f"https://site.test:{port}/")).content == b"private"
            with pytest.raises(TlsFailed, match=r"other\.test") as caught:
                await fetch.fetch(f"https://other.test:{port}/")
            assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
        async with fetcher() as fetch:
            with pytest.raises(TlsFailed):
                await fetch.fetch(f"https://site.test:{port}/")
        nursery.cancel_scope.cancel()


async def test_a_plain_server_behind_https_is_a_tls_error() -> None:
    async def handler(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handler, listeners)
        async with fetcher() as fetch:
            with pytest.raises(TlsFailed):
                await fetch.fetch(f"https://site.test:{listeners[0].socket.getsockname()[1]}/")
        nursery.cancel_scope.cancel()


async def _serve_http2(stream: trio.SocketStream, context: ssl.SSLContext) -> None:
    over = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    speaking = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    try:
        await over.do_handshake()
        speaking.initiate_connection()
        await over.send_all(speaking.data_to_send())
        while data := await over.receive_some(65536):
            for event in speaking.receive_data(data):
                if isinstance(event, h2.events.RequestReceived) and event.stream_id is not None:
                    headers = [(":status", "200"), ("content-type", "text/html"), ("content-encoding", "gzip")]
                    speaking.send_headers(event.stream_id, headers)
                    speaking.send_data(event.stream_id, gzip.compress(b"twice" * 100), end_stream=True)
            await over.send_all(speaking.data_to_send())
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    finally:
        await trio.aclose_forcefully(over)


async def test_http2_is_spoken_where_the_server_does(certificate: tuple[str, str]) -> None:
    chain, key = certificate
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    server.set_alpn_protocols(["h2"])
    connects = 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal connects
        connects += 1
        await _serve_http2(stream, server)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        url = f"https://site.test:{listeners[0].socket.getsockname()[1]}/"
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        async with fetcher(tls=ssl.create_default_context(cafile=chain)) as fetch:
            for _ in range(3):
                answer = await fetch.fetch(url)
                assert (answer.http_version, answer.content) == ("HTTP/2", b"twice" * 100)
        nursery.cancel_scope.cancel()
    assert connects == 1
