"""Bodies without end, bombs and broken answers."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable

import brotli
import pytest
import trio
import trio.testing
import zstandard

from pipeline.errors import (
    BodyTooLarge,
    ProtocolBroken,
)
from tests.unit.stages.net.site import Request, answering, fetcher, listening, reply

MIB = 1024 * 1024


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
