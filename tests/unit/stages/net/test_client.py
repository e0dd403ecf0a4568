"""Fetching over real sockets: what comes back, what is refused, and that every wait and every body has an end."""

from __future__ import annotations

import gzip
import os
import ssl
import subprocess
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import brotli
import pytest
import trio
import trio.testing
import zstandard

from pipeline.errors import (
    AddressDenied,
    BadUrl,
    BodyTooLarge,
    ConnectFailed,
    FetchError,
    FetchTimeout,
    ProtocolBroken,
    RedirectRefused,
    TlsFailed,
)
from tests.unit.stages.net.site import Request, Site, answering, fetcher, listening, reply

MIB = 1024 * 1024


async def test_a_page_comes_back_with_all_that_the_server_said_about_it() -> None:
    page = "<p>Grüße</p>".encode("latin-1")
    fields = {
        "Content-Type": "Text/HTML; charset=ISO-8859-1",
        "ETag": '"a1"',
        "Last-Modified": "Mon, 23 Nov 2026 12:00:00 GMT",
        "Retry-After": "7",
    }
    async with listening(answering(lambda _: reply(page, headers=fields))) as site, fetcher() as fetch:
        answer = await fetch.fetch(site.url("/a?b=ü#part"))
    assert (answer.status, answer.content, answer.media_type) == (200, page, "text/html")
    assert (answer.charset, answer.etag, answer.retry_after) == ("iso-8859-1", '"a1"', 7.0)
    assert answer.last_modified == "Mon, 23 Nov 2026 12:00:00 GMT"
    assert (answer.hops, answer.http_version) == (0, "HTTP/1.1")
    assert answer.final_url == site.url("/a?b=%C3%BC#part")
    sent = site.requests[0]
    assert sent.path == "/a?b=%C3%BC"
    assert sent.headers["host"] == f"site.test:{site.port}"
    assert "Atlas" in sent.headers["user-agent"]


@pytest.mark.parametrize("status", [200, 204, 304, 404, 410, 429, 500, 503])
async def test_every_final_status_is_an_answer(status: int) -> None:
    async with listening(answering(lambda _: reply(b"", status=status))) as site, fetcher() as fetch:
        assert (await fetch.fetch(site.url())).status == status


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstandard.compress)]
)
async def test_compressed_pages_come_back_plain(coding: str, pack: Callable[[bytes], bytes]) -> None:
    page = os.urandom(100_000) + b"<p>text</p>" * 1000
    packed = reply(pack(page), headers={"Content-Encoding": coding})
    async with listening(answering(lambda _: packed)) as site, fetcher() as fetch:
        assert (await fetch.fetch(site.url())).content == page
    assert coding in site.requests[0].headers["accept-encoding"]


@pytest.mark.parametrize("url", ["", "ftp://a.test/", "file:///etc/passwd", "http://", "http:///x", "//a.test", "http://a.test:99999/", "http://[::1", "data:text/html,x", "http://a.test/" + "x" * 9000])  # fmt: skip  # noqa: E501
async def test_what_is_no_http_address_is_refused(url: str) -> None:
    async with fetcher() as fetch:
        with pytest.raises(BadUrl):
            await fetch.fetch(url)


# Redirects


def _redirects(table: dict[str, str], status: int = 302) -> Callable[[Request], bytes]:
    def answer(request: Request) -> bytes:
        where = table.get(request.path)
        return reply(b"end") if where is None else reply(status=status, headers={"Location": where})

    return answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_and_counted(status: int) -> None:
    table = {"/a": "/b", "/b": "c?x=1"}
    async with listening(answering(_redirects(table, status))) as site, fetcher() as fetch:
        table["/c?x=1"] = f"//other.test:{site.port}/d"
        answer = await fetch.fetch(site.url("/a#here"))
    assert (answer.content, answer.hops) == (b"end", 3)
    assert answer.url == site.url("/a#here")
    assert answer.final_url == site.url("/d#here", host="other.test")


async def test_a_sixth_redirect_is_refused_and_hops_of_before_count() -> None:
    table = {f"/{number}": f"/{number + 1}" for number in range(6)}
    async with listening(answering(_redirects(table))) as site, fetcher() as fetch:
        assert (await fetch.fetch(site.url("/1"))).hops == 5
        with pytest.raises(RedirectRefused, match="more than 5"):
            await fetch.fetch(site.url("/0"))
        with pytest.raises(RedirectRefused, match="more than 5"):
            await fetch.fetch(site.url("/1"), hops=1)


@pytest.mark.parametrize("table", [{"/a": "/a"}, {"/a": "/b", "/b": "/a#x"}, {"/a": "/a#other"}])
async def test_redirects_in_a_circle_are_refused(table: dict[str, str]) -> None:
    async with listening(answering(_redirects(table))) as site, fetcher() as fetch:
        with pytest.raises(RedirectRefused, match="circle"):
            await fetch.fetch(site.url("/a"))


@pytest.mark.parametrize("where", ["file:///etc/passwd", "gopher://a.test:70/_x", "ftp://a.test/", "javascript:alert(1)", "data:text/html,x", "http://", "http://[", "dict://127.0.0.1:11211/stat", ""])  # fmt: skip  # noqa: E501
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_something_else_than_http_is_refused(where: str, status: int) -> None:
    async with listening(answering(_redirects({"/": where}, status))) as site, fetcher() as fetch:
        with pytest.raises(RedirectRefused):
            await fetch.fetch(site.url())


@pytest.mark.parametrize("where", ["http://169.254.169.254/latest/meta-data/", "http://localhost:PORT/", "http://[::1]:PORT/", "http://127.0.0.2:PORT/", "//127.1:PORT/", "http://2130706434:PORT/", "https://10.0.0.1/", "http://[::ffff:127.0.0.2]:PORT/"])  # fmt: skip  # noqa: E501
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_each_hop_is_checked_again(where: str, status: int) -> None:
    """Only 127.0.0.1 is listed; the redirect leads to another forbidden place, where somebody listens."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return {"site.test": ("127.0.0.1",), "localhost": ("::1", "127.0.0.2")}.get(host, ("127.0.0.2",))

    async with listening(answering(lambda _: reply(b"secret")), host="127.0.0.2") as inner:
        target = where.replace("PORT", str(inner.port))
        guarded = fetcher(resolve, allow=("127.0.0.1/32",))
        async with listening(answering(_redirects({"/": target}, status))) as site, guarded as fetch:
            with pytest.raises(AddressDenied):
                await fetch.fetch(site.url())
    assert inner.connects == 0


async def test_credentials_and_cookies_do_not_cross_hosts_and_nothing_is_remembered() -> None:
    def answer(request: Request) -> bytes:
        if request.path == "/end":
            return reply(b"end", headers={"Set-Cookie": "late=1"})
        where = "/next" if request.path == "/" else f"http://user:word@other.test:{site.port}/end"
        return reply(status=302, headers=[("Location", where), ("Set-Cookie", "session=1; Path=/")])

    own = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Api-Key": "k", "If-None-Match": '"e"', "Accept": "text/*"}
    async with listening(answering(answer)) as site, fetcher() as fetch:
        answer_ = await fetch.fetch(site.url("/").replace("site.test", "me:secret@site.test"), headers=own)
        await fetch.fetch(site.url("/end"))
    first, second, third, fourth = (request.headers for request in site.requests)
    assert first["authorization"] == second["authorization"] == "Bearer x"
    assert not {"authorization", "cookie", "x-api-key", "if-none-match"} & set(third)
    assert third["accept"] == "text/*"
    assert not {"cookie", "authorization"} & set(fourth)
    assert "@" not in answer_.url + answer_.final_url


async def test_proxies_and_credentials_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine site.test login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    async with listening(answering(lambda _: reply(b"proxy"))) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with listening(answering(lambda _: reply(b"direct"))) as site, fetcher() as fetch:
            assert (await fetch.fetch(site.url())).content == b"direct"
    assert proxy.connects == 0
    assert "authorization" not in site.requests[0].headers


# Bodies


async def _endless(stream: trio.SocketStream, request: Request) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while True:
        await stream.send_all(b"x" * 65536)


async def test_a_body_without_end_is_cut_at_the_limit() -> None:
    async with listening(_endless) as site, fetcher() as fetch:
        tracemalloc.start()
        try:
            with pytest.raises(BodyTooLarge):
                await fetch.fetch(site.url())
            assert tracemalloc.get_traced_memory()[1] < 24 * MIB
        finally:
            tracemalloc.stop()


async def test_a_declared_length_over_the_limit_is_not_read_at_all() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    async with listening(answering(lambda _: head)) as site, fetcher() as fetch:
        with pytest.raises(BodyTooLarge):
            await fetch.fetch(site.url())


async def test_the_limit_itself_still_fits() -> None:
    async with listening(answering(lambda _: reply(b"x" * 5000))) as site, fetcher() as fetch:
        assert len((await fetch.fetch(site.url(), max_bytes=5000)).content) == 5000
        with pytest.raises(BodyTooLarge):
            await fetch.fetch(site.url(), max_bytes=4999)


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("br", lambda data: brotli.compress(data, quality=5)), ("zstd", zstandard.compress)],
)
async def test_a_decompression_bomb_is_stopped_while_it_unfolds(coding: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = reply(pack(bytes(100 * MIB)), headers={"Content-Encoding": coding})
    async with listening(answering(lambda _: bomb)) as site, fetcher() as fetch:
        tracemalloc.start()
        try:
            with pytest.raises(BodyTooLarge):
                await fetch.fetch(site.url())
            assert tracemalloc.get_traced_memory()[1] < 24 * MIB
        finally:
            tracemalloc.stop()


async def test_nested_compression_is_refused() -> None:
    bomb = gzip.compress(gzip.compress(bytes(10 * MIB)))
    fields = {"Content-Encoding": "gzip, gzip"}
    async with listening(answering(lambda _: reply(bomb, headers=fields))) as site, fetcher() as fetch:
        with pytest.raises(ProtocolBroken):
            await fetch.fetch(site.url())


BROKEN = {
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "cut chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n",
    "silence": b"",
    "no gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
    "no brotli": b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 5\r\n\r\nplain",
    "no zstd": b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 5\r\n\r\nplain",
    "half gzip": reply(gzip.compress(b"text" * 9999)[:50], headers={"Content-Encoding": "gzip"}),
    "headers too long": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
}


@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_is_broken_is_a_protocol_error_and_never_a_page(name: str) -> None:
    async def handler(stream: trio.SocketStream, request: Request) -> None:
        await stream.send_all(BROKEN[name])
        await stream.aclose()

    async with listening(handler) as site, fetcher() as fetch:
        with pytest.raises(ProtocolBroken) as caught:
            await fetch.fetch(site.url())
    assert "site.test" in caught.value.message
    assert caught.value.retryable


# Time


async def _drip_body(stream: trio.SocketStream, request: Request) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while True:
        await stream.send_all(b"x")
        await trio.sleep(1)


async def _drip_headers(stream: trio.SocketStream, request: Request) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send_all(b"X-Slow: x\r\n")
        await trio.sleep(1)


async def _say_nothing(stream: trio.SocketStream, request: Request) -> None:
    while await stream.receive_some(65536):  # until the other side leaves
        pass


@pytest.mark.parametrize(("handler", "seconds"), [(_drip_body, 60), (_drip_headers, 20), (_say_nothing, 20)])
async def test_a_server_that_drips_or_is_silent_is_left_in_time(
    handler: Callable[..., object], seconds: float, autojump_clock: trio.testing.MockClock
) -> None:
    async with listening(handler) as site, fetcher() as fetch:  # type: ignore[arg-type]
        started = trio.current_time()
        with pytest.raises(FetchTimeout):
            await fetch.fetch(site.url())
        assert trio.current_time() - started == pytest.approx(seconds, abs=0.5)
        await _until_all_left(site)


async def test_a_tls_handshake_that_stalls_is_left_within_the_connect_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with listening(_say_nothing) as site, fetcher() as fetch:
        started = trio.current_time()
        with pytest.raises(FetchTimeout):
            await fetch.fetch(site.url(scheme="https"))
        assert trio.current_time() - started == pytest.approx(10, abs=0.5)


async def test_waiting_for_a_turn_at_the_host_does_not_count_as_the_servers_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def slow(stream: trio.SocketStream, request: Request) -> None:
        await trio.sleep(9)
        await stream.send_all(reply(b"at last"))

    async with (
        listening(slow) as site,
        fetcher(per_host=1, total_seconds=10) as fetch,
        trio.open_nursery() as nursery,
    ):
        for _ in range(3):
            nursery.start_soon(fetch.fetch, site.url())
    assert len(site.requests) == 3
    assert site.most_open == 1


async def test_a_port_where_nobody_listens_is_a_failed_connection(free_port: int) -> None:
    async with fetcher() as fetch:
        with pytest.raises(ConnectFailed, match=r"site\.test"):
            await fetch.fetch(f"http://site.test:{free_port}/")


# The pool


async def test_no_slot_of_the_pool_is_lost_to_cancelled_fetches() -> None:
    """httpcore#1093: requests cancelled under contention kept their slots until nothing moved any more."""

    async def handler(stream: trio.SocketStream, request: Request) -> None:
        if request.path == "/slow":
            await _say_nothing(stream, request)
        else:
            await stream.send_all(reply(b"x" * 10_000))

    async with listening(handler) as site, fetcher(connections=3, per_host=50) as fetch:
        for number in range(60):
            async with trio.open_nursery() as nursery:
                for path in ("/slow", "/", "/slow", "/", "/"):
                    for host in ("a.test", "b.test"):
                        nursery.start_soon(_ignoring_failure, fetch.fetch, site.url(path, host=host))
                for _ in range(number):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        with trio.fail_after(5):
            for host in ("a.test", "b.test", "c.test", "d.test"):
                assert len((await fetch.fetch(site.url(host=host))).content) == 10_000
    with trio.fail_after(5):
        await trio.testing.wait_all_tasks_blocked()


async def _ignoring_failure(call: Callable[[str], object], url: str) -> None:
    with suppress(FetchError):
        await call(url)  # type: ignore[misc]


async def test_all_connections_are_closed_when_the_fetcher_is(autojump_clock: trio.testing.MockClock) -> None:
    async with listening(answering(lambda _: reply(b"x"))) as site:
        async with fetcher() as fetch:
            for number in range(5):
                await fetch.fetch(site.url(host=f"h{number}.test"))
            assert site.open == 5
        await _until_all_left(site)


async def test_a_thousand_fetches_cut_off_leave_no_socket_open() -> None:
    before = _open_files()
    async with listening(_say_nothing) as site, fetcher(read_seconds=0.05, per_host=50) as fetch:

        async def some() -> None:
            for _ in range(20):
                with pytest.raises(FetchTimeout):
                    await fetch.fetch(site.url())

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(some)
        await _until_all_left(site)
        assert _open_files() <= before + 2
    assert site.connects >= 900


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def _until_all_left(site: Site) -> None:
    with trio.fail_after(5):
        while site.open:  # noqa: ASYNC110 what happens in the other task is what is waited for
            await trio.sleep(0.01)


# TLS


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
