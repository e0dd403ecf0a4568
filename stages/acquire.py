"""100: fetch the page itself. What cannot be had now is retried, what is gone is buried as a dead link."""

from __future__ import annotations

from typing import Final, Protocol
from urllib.parse import urldefrag

from pipeline.effects import KeepCapture, SetVerdict
from pipeline.errors import AtlasError, BadUrl, HttpStatus, RateLimited, RedirectRefused
from pipeline.items import Reason
from pipeline.lifecycle import Stage, Verdict
from pipeline.stage import StageContext, StageSpec
from pipeline.text.urls import canonicalise, complete
from pipeline.work import Advance, Bury, Claim, Outcome, Retry
from stages.net.client import Response
from stages.settings import AcquireSettings
from stages.text.refresh import refresh_target
from stages.text.sniff import effective_type

_WEEK_MS: Final = 7 * 86_400_000
_POSTPONED_SECONDS: Final = 5.0  # the least: "Retry-After: 0" must not make a busy loop
# Refusals that may pass: not logged in there, rate limits, timeouts, and whatever a server calls its own fault.
_LATER: Final = frozenset({401, 403, 408, 423, 425, 429})
_GONE: Final = frozenset({404, 410, 451})
_HINTS: Final = {
    404: "The page is not there. It may have moved, or the address has a typing error.",
    410: "The site says that the page is gone for good.",
    451: "The page is withheld for legal reasons.",
    401: "The page wants a login, which Atlas does not have.",
    403: "The site does not let Atlas in; it may do so later.",
    429: "The site gets too many requests from here; it is tried again when it says so.",
}
_LATER_HINT: Final = "The site has a problem at the moment; it is tried again by itself."
_REFUSED_HINT: Final = "The site refuses this request; trying again would not help."


class FetchPort(Protocol):
    """What of the fetcher this stage needs."""

    async def fetch(self, url: str, *, hops: int = 0) -> Response: ...


class Acquire:
    """Ends with the body as it came (KeepCapture), or with a dead link (verdict), or is tried again."""

    def __init__(self, settings: AcquireSettings, fetcher: FetchPort) -> None:
        self._fetcher = fetcher
        self.spec = StageSpec(
            name="acquire",
            hundred=100,
            slots=settings.slots,
            deadline=settings.deadline_seconds,
            following=200,
            needs_bodies=True,
        )

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        if claim.item is None or claim.item.url is None:
            return Bury(reason=Reason(code="no_url", hint="There is nothing to fetch: the item has no address."))
        ctx.step(Stage.FETCHING, method="direct")
        try:
            response = await self._fetch(claim.item.url)
        except RateLimited as error:  # our own pace at this host
            reason = Reason(code=error.code, hint=error.hint, detail=error.message)
            ctx.step(Stage.FETCH_FAILED, method="direct", error=error.code, detail=error.message)
            return Retry(reason=reason, after=error.retry_after, costs_attempt=False)
        except AtlasError as error:
            ctx.step(Stage.FETCH_FAILED, method="direct", error=error.code, detail=error.message)
            raise
        if not 200 <= response.status < 300:
            return _refused(response, ctx, patient=ctx.wall_ms() - claim.item.raised_at < _WEEK_MS)
        return _kept(response, ctx)

    async def _fetch(self, url: str) -> Response:
        """The page, also behind a meta refresh: that is a hop like any other, checked and counted by the fetcher."""
        asked = complete(url)
        response, seen = await self._fetcher.fetch(asked), {urldefrag(asked).url}
        while response.status == 200 and (target := refresh_target(response.content, response.final_url)):
            seen.add(urldefrag(response.final_url).url)
            if urldefrag(target).url in seen:
                break
            try:
                response = await self._fetcher.fetch(target, hops=response.hops + 1)
            except BadUrl as error:
                raise RedirectRefused(f"The page sends its readers on to {target[:100]}") from error
        return response


def _kept(response: Response, ctx: StageContext) -> Advance:
    size, hops = len(response.content), f", {response.hops} redirects" if response.hops else ""
    ctx.step(Stage.RETRIEVED, method="direct", bytes=size, detail=f"{response.http_version} {response.status}{hops}")
    ctx.step(Stage.ACQUIRED)
    capture = KeepCapture(
        content=response.content,
        url=response.url,
        final_url=response.final_url,
        final_key=canonicalise(response.final_url),
        status=response.status,
        media_type=effective_type(response.media_type, response.content),
        charset=response.charset,
        etag=response.etag,
        last_modified=response.last_modified,
        captured_at=ctx.wall_ms(),
    )
    return Advance(effects=(capture,))


def _refused(response: Response, ctx: StageContext, *, patient: bool) -> Outcome:
    """A postponement that the server asked for costs no attempt, but not for ever: only while `patient`."""
    status, detail = response.status, f"HTTP {response.status}"
    ctx.step(Stage.FETCH_FAILED, method="direct", error=HttpStatus.code, detail=detail)
    later = status in _LATER or status >= 500
    reason = Reason(
        code=HttpStatus.code, hint=_HINTS.get(status, _LATER_HINT if later else _REFUSED_HINT), detail=detail
    )
    if not later:
        gone = (SetVerdict(verdict=Verdict.DEAD_LINK, evidence=detail),) if status in _GONE else ()
        return Bury(reason=reason, effects=gone)
    if status in (429, 503) and response.retry_after is not None:
        after = max(response.retry_after, _POSTPONED_SECONDS)
        return Retry(reason=reason, after=after, costs_attempt=not patient)
    return Retry(reason=reason, after=response.retry_after)
