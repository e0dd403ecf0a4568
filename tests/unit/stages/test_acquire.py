"""Acquire over real sockets: what is kept, what is tried again and when, what is buried where nobody else can be asked.

What falls back is in test_acquire_falls_back.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import msgspec
import pytest

from pipeline.effects import KeepCapture, SetVerdict
from pipeline.errors import (
    AddressDenied,
    AtlasError,
    BodyTooLarge,
    ConnectFailed,
    FetchError,
    RateLimited,
    RedirectRefused,
)
from pipeline.lifecycle import Verdict
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Bury, Outcome, Retry
from stages.acquire import Acquire
from stages.net.client import Response
from stages.settings import AcquireSettings
from tests.unit.stages.fake_context import NOW_MS, FakeContext, a_claim, an_item
from tests.unit.stages.net.site import Request, answering, fetcher, listening, reply

PAGE = b"<!DOCTYPE html><title>A</title><p>Text."
HTML = {"Content-Type": "text/html; charset=utf-8"}


async def _acquired(
    answers: Mapping[str, bytes] | Callable[[Request], bytes], path: str = "/a", *, raised_at: int = NOW_MS
) -> tuple[Outcome | AtlasError, FakeContext, str]:
    ctx = FakeContext()
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(listening(answering(answers)))
        fetch = await stack.enter_async_context(fetcher())
        claim = a_claim(an_item(site.url(path), raised_at=raised_at))
        try:
            outcome = await Acquire(AcquireSettings(), fetch).handle(claim, ctx)
        except AtlasError as error:  # a nursery would wrap it
            return error, ctx, site.url()
    return outcome, ctx, site.url()


async def test_a_page_is_kept_as_it_came_with_its_steps() -> None:
    outcome, ctx, base = await _acquired({"/a": reply(PAGE, headers={**HTML, "ETag": '"1"'})})
    assert isinstance(outcome, Advance)
    (capture,) = outcome.effects
    assert isinstance(capture, KeepCapture)
    assert (capture.content, capture.status, capture.media_type) == (PAGE, 200, "text/html")
    assert (capture.charset, capture.etag, capture.captured_at) == ("utf-8", '"1"', NOW_MS)
    assert capture.url == capture.final_url == base + "a"
    assert ctx.codes == [120, 150, 190]
    assert ctx.steps[1].bytes == len(PAGE)


async def test_after_redirects_the_key_is_that_of_the_last_url() -> None:
    table = {"/a": reply(status=301, headers={"Location": "/b?utm_source=x&q=1#top"})}
    outcome, ctx, base = await _acquired(table | {"/b?utm_source=x&q=1": reply(PAGE, headers=HTML)})
    assert isinstance(outcome, Advance)
    (capture,) = outcome.effects
    assert isinstance(capture, KeepCapture)
    assert capture.url == base + "a"
    assert capture.final_url == base + "b?utm_source=x&q=1#top"
    assert capture.final_key == canonicalise(base + "b?q=1")
    assert "1 redirect" in ctx.steps[1].detail


@pytest.mark.parametrize(
    ("declared", "body", "kept_as"),
    [
        ("text/plain", PAGE, "text/html"),
        ("", PAGE, "text/html"),
        ("application/octet-stream", b"\n\n<!-- x --> <div>hello", "text/html"),
        ("text/plain", b"Plain words.", "text/plain"),
        ("", b"Plain words.", "text/plain"),
        ("text/html", b"%PDF-1.7 ...", "application/pdf"),
    ],
)
async def test_a_wrong_or_missing_content_type_is_put_right(declared: str, body: bytes, kept_as: str) -> None:
    outcome, _, _ = await _acquired({"/a": reply(body, headers={"Content-Type": declared} if declared else {})})
    assert isinstance(outcome, Advance)
    (capture,) = outcome.effects
    assert isinstance(capture, KeepCapture)
    assert capture.media_type == kept_as


@pytest.mark.parametrize("status", [404, 410, 451])
async def test_a_page_that_is_gone_is_buried_as_a_dead_link(status: int) -> None:
    outcome, ctx, _ = await _acquired({"/a": reply(b"gone", status=status)})
    assert isinstance(outcome, Bury)
    assert outcome.reason.code == "http_status"
    assert str(status) in outcome.reason.detail
    assert outcome.effects == (SetVerdict(verdict=Verdict.DEAD_LINK, evidence=f"HTTP {status}"),)
    assert ctx.codes == [120, 130]
    assert ctx.steps[1].error == "http_status"


@pytest.mark.parametrize("status", [400, 405, 406, 414, 300, 304])
async def test_a_refusal_that_would_be_repeated_is_buried_without_a_verdict(status: int) -> None:
    outcome, _, _ = await _acquired({"/a": reply(b"no", status=status)})
    assert isinstance(outcome, Bury)
    assert outcome.effects == ()


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 500, 502, 503, 504])
async def test_a_refusal_that_may_pass_is_tried_again(status: int) -> None:
    outcome, ctx, _ = await _acquired({"/a": reply(b"later", status=status)})
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.costs_attempt) == (None, True)
    assert outcome.reason.hint
    assert ctx.codes == [120, 130]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("said", "after"), [("120", 120.0), ("0", 5.0), ("9999999999", 86_400.0)])
async def test_a_postponement_that_the_server_asks_for_costs_no_attempt(status: int, said: str, after: float) -> None:
    outcome, _, _ = await _acquired({"/a": reply(b"later", status=status, headers={"Retry-After": said})})
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.costs_attempt) == (after, False)


async def test_a_server_that_postpones_for_more_than_a_week_costs_attempts() -> None:
    later = {"/a": reply(b"later", status=503, headers={"Retry-After": "60"})}
    outcome, _, _ = await _acquired(later, raised_at=NOW_MS - 8 * 86_400_000)
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.costs_attempt) == (60.0, True)


async def test_what_we_refuse_ourselves_is_raised_with_its_step() -> None:
    ctx = FakeContext()
    errors: list[FetchError] = [AddressDenied("private"), BodyTooLarge("big")]
    for error in errors:

        class Failing:
            async def fetch(
                self, url: str, *, headers: object = None, hops: int = 0, error: FetchError = error
            ) -> Response:
                raise error

        with pytest.raises(type(error)):
            await Acquire(AcquireSettings(), Failing()).handle(a_claim(), ctx)
    assert ctx.codes == [120, 130] * 2
    assert [step.error for step in ctx.steps if step.error] == ["address_denied", "too_large"]


async def test_our_own_pace_at_a_host_costs_no_attempt() -> None:
    class Busy:
        async def fetch(self, url: str, *, headers: object = None, hops: int = 0) -> Response:
            raise RateLimited("4 requests are under way", retry_after=15.0)

    outcome = await Acquire(AcquireSettings(), Busy()).handle(a_claim(), FakeContext())
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.costs_attempt) == (15.0, False)


async def test_an_item_without_an_address_is_buried() -> None:
    class Never:
        async def fetch(self, url: str, *, headers: object = None, hops: int = 0) -> Response:
            raise AssertionError

    outcome = await Acquire(AcquireSettings(), Never()).handle(a_claim(an_item(None)), FakeContext())
    assert isinstance(outcome, Bury)


def _refresh(target: str, seconds: int = 0) -> bytes:
    return f'<html><head><meta http-equiv="refresh" content="{seconds};URL={target}"></head></html>'.encode()


async def test_a_meta_refresh_of_a_tiny_page_is_a_hop() -> None:
    outcome, ctx, base = await _acquired({"/a": reply(_refresh("/b"), headers=HTML), "/b": reply(PAGE, headers=HTML)})
    assert isinstance(outcome, Advance)
    (capture,) = outcome.effects
    assert isinstance(capture, KeepCapture)
    assert capture.final_url == base + "b"
    assert "1 redirect" in ctx.steps[1].detail


async def test_a_page_that_refreshes_itself_is_kept_as_it_is() -> None:
    outcome, _, _ = await _acquired({"/a": reply(_refresh("/a", 5), headers=HTML)})
    assert isinstance(outcome, Advance)


@pytest.mark.parametrize("size", [0, 5000])
async def test_a_late_refresh_or_one_on_a_real_page_is_not_followed(size: int) -> None:
    page = _refresh("/b", 0 if size else 300) + b"<p>" + b"x" * size
    outcome, ctx, _ = await _acquired({"/a": reply(page, headers=HTML)})
    assert isinstance(outcome, Advance)
    assert ctx.codes == [120, 150, 190]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://127.0.0.1/", "javascript:alert(1)"])
async def test_a_meta_refresh_to_something_else_than_http_is_refused(target: str) -> None:
    outcome, ctx, _ = await _acquired({"/a": reply(_refresh(target), headers=HTML)})
    assert isinstance(outcome, RedirectRefused)
    assert ctx.codes == [120, 130]


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "http://10.0.0.1/", "http://[::1]/"])
async def test_a_meta_refresh_is_checked_like_a_redirect(target: str) -> None:
    outcome, _, _ = await _acquired({"/a": reply(_refresh(target), headers=HTML)})
    assert isinstance(outcome, AddressDenied)


async def test_meta_refreshes_count_as_redirects() -> None:
    pages = {f"/{number}": reply(_refresh(f"/{number + 1}"), headers=HTML) for number in range(9)}
    outcome, _, _ = await _acquired(pages, "/0")
    assert isinstance(outcome, RedirectRefused)


class Down:
    """A site that nobody can connect to."""

    async def fetch(self, url: str, *, headers: object = None, hops: int = 0) -> Response:
        raise ConnectFailed("site.test cannot be connected to")


@pytest.mark.parametrize(
    ("attempts", "waited_hours", "after", "costs"),
    [
        (0, 0, None, True),  # the policy's back-off at first
        (2, 0, 300.0, False),
        (2, 1, 1800.0, False),
        (2, 47, 21_600.0, False),
        (2, 73, None, True),  # the policy decides about the end
    ],
)
async def test_a_site_that_is_down_is_tried_again_for_days_ever_more_rarely(
    attempts: int, waited_hours: int, after: float | None, costs: bool
) -> None:
    entered = NOW_MS - waited_hours * 3_600_000
    claim = msgspec.structs.replace(a_claim(attempts=attempts), entered_at=entered)
    outcome = await Acquire(AcquireSettings(), Down()).handle(claim, FakeContext())
    assert isinstance(outcome, Retry)
    assert (outcome.reason.code, outcome.after, outcome.costs_attempt) == ("connect_failed", after, costs)
