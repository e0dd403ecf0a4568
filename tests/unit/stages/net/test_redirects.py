"""Redirects: followed by us, each hop checked again, and nothing of ours carried to another host."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from pipeline.errors import (
    AddressDenied,
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
