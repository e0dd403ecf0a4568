"""Fetching over real sockets: what comes back of what a server sends."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import zstandard

from pipeline.errors import (
    BadUrl,
)
from tests.unit.stages.net.site import Request, answering, fetcher, listening, reply


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


async def test_a_page_that_has_not_changed_comes_back_empty_whatever_it_declares() -> None:
    def answer(request: Request) -> bytes:
        if request.headers.get("if-none-match") != '"a1"':
            return reply(b"page", headers={"ETag": '"a1"'})
        fields = {"ETag": '"a1"', "Content-Encoding": "gzip", "Content-Length": "99999999999"}
        return reply(status=304, headers=fields)

    async with listening(answering(answer)) as site, fetcher() as fetch:
        first = await fetch.fetch(site.url())
        assert first.etag is not None
        for _ in range(3):
            again = await fetch.fetch(site.url(), headers={"If-None-Match": first.etag})
            assert (again.status, again.content, again.etag) == (304, b"", '"a1"')
        assert (await fetch.fetch(site.url())).content == b"page"
    assert site.connects == 1  # the connection is still good


async def test_headers_of_the_caller_win_over_ours() -> None:
    async with listening(answering(lambda _: reply(b"page"))) as site, fetcher() as fetch:
        await fetch.fetch(site.url(), headers={"User-Agent": "Mozilla/5.0", "ACCEPT": "text/html"})
        await fetch.fetch(site.url())
    mine, ours = (request.headers for request in site.requests)
    assert (mine["user-agent"], mine["accept"]) == ("Mozilla/5.0", "text/html")
    assert ours["user-agent"].startswith("Atlas/")


async def test_what_is_longer_is_cut_when_the_caller_says_so() -> None:
    async with listening(answering(lambda _: reply(b"x" * 5000))) as site, fetcher() as fetch:
        assert (await fetch.fetch(site.url(), max_bytes=999, cut=True)).content == b"x" * 999
        assert len((await fetch.fetch(site.url(), max_bytes=6000, cut=True)).content) == 5000


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
