"""Redirects: followed by us and counted. Where they may not lead is in tests/test_reliability/test_ssrf.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.errors import (
    RedirectRefused,
)
from tests.unit.stages.net.site import Request, answering, fetcher, listening, reply


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
