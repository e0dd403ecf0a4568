"""Over a real socket, through Hypercorn: limits that only a connection shows."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.gateway.served import served
from tests.gateway.site import Site


async def ask(port: int, *parts: bytes) -> bytes:
    """Send, and read until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                answer = await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return answer


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", "")).encode()


def test_a_page_is_saved_and_seen_over_a_real_connection(gateway):
    async def story(site: Site) -> None:
        async with served(site) as port:
            token = f"Authorization: Bearer {await site.token()}"
            body = b'{"url": "https://example.com/a"}'
            length = f"Content-Length: {len(body)}"
            answer = await ask(
                port, head("POST", "/api/v1/items", token, "Content-Type: application/json", length), body
            )
            assert answer.startswith(b"HTTP/1.1 202")
            assert b"location: /api/v1/items/" in answer.lower()
            assert b'"state":"ready"' in await ask(port, head("GET", "/api/v1/items", token))
            assert (await ask(port, head("GET", "/livez"))).endswith(b"ok\n")

    gateway(story)


def test_a_body_without_end_is_refused_and_not_kept_in_memory(gateway):
    async def story(site: Site) -> None:
        async with served(site) as port:
            lines = (f"Authorization: Bearer {await site.token()}", "Content-Type: application/json")
            chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
            answer = await ask(port, head("POST", "/api/v1/items", *lines, "Transfer-Encoding: chunked"), *[chunk] * 64)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
            claimed = await ask(port, head("POST", "/api/v1/items", *lines, "Content-Length: 10000000000"))
            assert claimed.startswith(b"HTTP/1.1 413")

    gateway(story, max_body_bytes=100_000)


def test_a_body_that_drips_is_given_up(gateway):
    async def story(site: Site) -> None:
        async with served(site) as port:
            lines = (f"Authorization: Bearer {await site.token()}", "Content-Type: application/json")
            answer = await ask(port, head("POST", "/api/v1/items", *lines, "Content-Length: 100"), b"{")
            assert answer.startswith(b"HTTP/1.1 408")

    gateway(story, body_seconds=0.2)


@pytest.mark.parametrize("lines", [("X: " + "y" * 70_000,), ("X: a\rb",), ("Host: other",)])
def test_headers_that_are_too_long_broken_or_doubled_are_refused(gateway, lines):
    async def story(site: Site) -> None:
        async with served(site) as port:
            answer = await ask(port, head("GET", "/livez", *lines))
            assert answer[9:12] in (b"400", b"421", b"431")

    gateway(story)


def test_past_its_cap_a_request_is_told_to_come_back(gateway):
    async def story(site: Site) -> None:
        async with served(site) as port:
            token = f"Authorization: Bearer {await site.token()}"
            uid = await site.save(url="https://example.com/a")
            waiting = [
                asyncio.create_task(ask(port, head("GET", f"/api/v1/items/{uid}?wait=30", token))) for _ in range(3)
            ]
            cap: Any = site.app.asgi_app._app
            async with asyncio.timeout(10):
                while cap.in_hand < 3:  # noqa: ASYNC110 - it has no event, and needs none
                    await asyncio.sleep(0)
            refused = await ask(port, head("GET", "/livez"))
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 1" in refused.lower()
            assert b"content-security-policy" in refused.lower()
            assert site.deps.news is not None
            site.deps.news.close()
            assert all(answer.startswith(b"HTTP/1.1 200") for answer in await asyncio.gather(*waiting))
            assert (await ask(port, head("GET", "/livez"))).startswith(b"HTTP/1.1 200")

    gateway(story, max_connections=3)


def test_a_refused_request_with_a_body_holds_no_connection(gateway):
    """One that nobody read kept its connection open for ever: some thousand of them, and no file could be opened."""

    async def story(site: Site) -> None:
        async with served(site) as port:
            token = f"Authorization: Bearer {await site.token()}"
            uid = await site.save(url="https://example.com/a")
            waiting = asyncio.create_task(ask(port, head("GET", f"/api/v1/items/{uid}?wait=30", token)))
            cap: Any = site.app.asgi_app._app
            async with asyncio.timeout(10):
                while cap.in_hand < 1:  # noqa: ASYNC110 - it has no event, and needs none
                    await asyncio.sleep(0)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = b'{"url": "https://example.com/b"}'
            writer.write(head("POST", "/api/v1/items", token, f"Content-Length: {len(body)}") + body)
            async with asyncio.timeout(10):
                assert (await reader.read()).startswith(b"HTTP/1.1 503")
            writer.close()
            assert site.deps.news is not None
            site.deps.news.close()
            assert (await waiting).startswith(b"HTTP/1.1 200")

    gateway(story, max_connections=1)
