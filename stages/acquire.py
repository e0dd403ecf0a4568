"""100: fetch the page itself, and when it cannot be had, a copy of it elsewhere.

At 110 the page itself is asked for: what may pass is tried again, what will not falls back to 140, where
stages.fallback asks one provider after the other. With nobody left to ask, a page that is gone or refused is buried;
one whose site is only down is tried again for days.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urldefrag

from pipeline.effects import Effect, KeepCapture, SetVerdict
from pipeline.errors import (
    AddressDenied,
    AtlasError,
    BadUrl,
    BodyTooLarge,
    BreakerOpen,
    HttpStatus,
    NotFound,
    RateLimited,
    RedirectRefused,
    RobotsDenied,
    StoreError,
)
from pipeline.items import Item, Reason
from pipeline.lifecycle import Stage, Verdict
from pipeline.stage import StageContext, StageSpec
from pipeline.text.urls import canonicalise, complete
from pipeline.work import Advance, Bury, Claim, Divert, Outcome, Retry
from stages.fallback.falling import FallingBack
from stages.fallback.leisure import LATER, again_after, is_ours, may_pass
from stages.net.client import Response
from stages.settings import AcquireSettings, FallbackSettings
from stages.text.refresh import refresh_target
from stages.text.sniff import effective_type

_WEEK_MS: Final = 7 * 86_400_000
_POSTPONED_SECONDS: Final = 5.0  # the least: "Retry-After: 0" must not make a busy loop
_NOT_MODIFIED: Final = 304
_AT_THE_SITE: Final = ("browser",)  # who would ask a site that has not said yet whether programs may
# May pass as well, but another way is tried at once: not logged in there, not let in.
_BLOCKED: Final = frozenset({401, 403})
_GONE: Final = frozenset({404, 410, 451})
# What others cannot help with, or are not to be told: our own refusals.
_OURS: Final = (AddressDenied, BadUrl, BodyTooLarge, RobotsDenied, StoreError)
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

    async def fetch(self, url: str, *, headers: Mapping[str, str] | None = None, hops: int = 0) -> Response: ...


class RobotsPort(Protocol):
    """Whether a site's robots.txt lets programs fetch a page."""

    async def check(self, url: str) -> None: ...


class Acquire:
    """Ends with the body as it came (KeepCapture), or falls back, or is tried again, or is buried."""

    def __init__(
        self,
        settings: AcquireSettings,
        fetcher: FetchPort,
        *,
        fallback: FallbackSettings | None = None,
        falling: FallingBack | None = None,
        robots: RobotsPort | None = None,
        heeds: str = "feeds",
    ) -> None:
        """`heeds`: what robots.txt is asked about, as `[net] robots` says it."""
        self._fetcher = fetcher
        self._fallback = fallback or FallbackSettings()
        self._falling = falling
        self._robots = robots
        self._heeds = heeds
        self._give_up_days = settings.give_up_days
        self.spec = StageSpec(
            name="acquire",
            hundred=100,
            slots=settings.slots,
            deadline=settings.deadline_seconds,
            following=200,
            diverts=() if falling is None else (Stage.FALLING_BACK,),
            needs_bodies=True,
        )

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        item = claim.item
        if item is None or item.url is None:
            return Bury(reason=Reason(code="no_url", hint="There is nothing to fetch: the item has no address."))
        return self._at_leisure(await self._had(claim, item, ctx), claim, ctx)

    async def _had(self, claim: Claim, item: Item, ctx: StageContext) -> Outcome:
        """By falling back where somebody is left to ask, else from the page itself, unless that is known to be gone."""
        if claim.stage == Stage.FALLING_BACK and self._falling is not None:
            if self._falling.is_open_to(claim):
                return await self._falling.handle(claim, item, ctx)
            if item.reason is None or not (may_pass(item.reason) or is_ours(item.reason)):
                return self._falling.give_up(claim, item)
        return await self._direct(claim, item, ctx)

    def _at_leisure(self, outcome: Outcome, claim: Claim, ctx: StageContext) -> Outcome:
        """Neither a site that is down nor an archive that cannot be asked is a reason to bury, before days of it."""
        match outcome:
            case Bury(reason=reason):
                is_last = claim.stage == Stage.FALLING_BACK
            case Retry(reason=reason, after=None, costs_attempt=True):
                is_last = claim.stage == Stage.FALLING_BACK or claim.attempts + 1 >= self._fallback.direct_attempts
            case _:
                return outcome
        after = again_after((ctx.wall_ms() - claim.entered_at) / 1000, give_up_days=self._give_up_days)
        is_open = self._falling is not None and self._falling.is_open_to(claim)
        if not is_last or after is None or not (is_open or may_pass(reason)):
            return outcome
        return Retry(reason=reason, after=after, costs_attempt=False)

    async def _direct(self, claim: Claim, item: Item, ctx: StageContext) -> Outcome:
        ctx.step(Stage.FETCHING, method="direct")
        rules = self._robots if self._is_heeded(item) else None
        unread = _AT_THE_SITE if rules is not None else ()
        try:
            conditions = await _conditions(claim, ctx)
            if rules is not None:
                await rules.check(complete(item.url or ""))
                unread = ()
            response = await self._fetch(item, conditions)
        except (RateLimited, BreakerOpen) as error:  # nobody was asked
            return self._postponed(claim, error, ctx, spent=unread)
        except AtlasError as error:
            ctx.step(Stage.FETCH_FAILED, method="direct", error=error.code, detail=error.message)
            reason = Reason(code=error.code, hint=error.hint, detail=error.message[:500])
            if not isinstance(error, _OURS) and self._is_time_to_fall_back(claim, lasting=not error.retryable):
                return _divert(reason, spent=unread)
            if isinstance(error, _OURS) or not error.retryable:
                raise
            return Retry(reason=reason, after=getattr(error, "retry_after", None))
        if response.status == _NOT_MODIFIED and conditions:
            ctx.step(Stage.RETRIEVED, method="direct", detail="304, not changed since it was fetched last")
            ctx.step(Stage.ACQUIRED)
            return Advance()
        if not 200 <= response.status < 300:
            return self._refused(claim, item, response, ctx)
        return _kept(response, ctx)

    def _is_time_to_fall_back(self, claim: Claim, *, lasting: bool) -> bool:
        """At once from what lasts, else after some tries; never when nobody is left to ask."""
        tried = lasting or claim.attempts + 1 >= self._fallback.direct_attempts
        return tried and self._falling is not None and self._falling.is_open_to(claim)

    def _postponed(
        self, claim: Claim, error: RateLimited | BreakerOpen, ctx: StageContext, *, spent: tuple[str, ...]
    ) -> Outcome:
        """The host gets no more from us for now. Others are asked when it has been left alone for too long."""
        reason = Reason(code=error.code, hint=error.hint, detail=error.message[:500])
        ctx.step(Stage.FETCH_FAILED, method="direct", error=error.code, detail=error.message)
        waited = ctx.wall_ms() - claim.entered_at
        patience = self._fallback.patience_seconds - waited / 1000
        if isinstance(error, RateLimited) or not self._is_time_to_fall_back(claim, lasting=True):
            is_over = isinstance(error, BreakerOpen) and waited > self._give_up_days * 86_400_000
            return Retry(reason=reason, after=error.retry_after, costs_attempt=is_over)
        if patience <= 0:
            return _divert(reason, spent=spent)
        return Retry(reason=reason, after=max(min(error.retry_after, patience), 1.0), costs_attempt=False)

    def _refused(self, claim: Claim, item: Item, response: Response, ctx: StageContext) -> Outcome:
        """A postponement that the server asked for costs no attempt, but not for ever: only for a week."""
        status, detail = response.status, f"HTTP {response.status}"
        ctx.step(Stage.FETCH_FAILED, method="direct", error=HttpStatus.code, detail=detail)
        later = status in LATER or status in _BLOCKED or status >= 500
        reason = Reason(
            code=HttpStatus.code, hint=_HINTS.get(status, _LATER_HINT if later else _REFUSED_HINT), detail=detail
        )
        if status in (429, 503) and response.retry_after is not None:
            patient = ctx.wall_ms() - item.raised_at < _WEEK_MS
            if patient or not self._is_time_to_fall_back(claim, lasting=False):
                after = max(response.retry_after, _POSTPONED_SECONDS)
                return Retry(reason=reason, after=after, costs_attempt=not patient)
        gone: tuple[Effect, ...] = ()
        if status in _GONE:
            gone = (SetVerdict(verdict=Verdict.DEAD_LINK, evidence=detail),)
        if self._is_time_to_fall_back(claim, lasting=not later or status in _BLOCKED):
            return _divert(reason, gone)
        return Retry(reason=reason, after=response.retry_after) if later else Bury(reason=reason, effects=gone)

    async def _fetch(self, item: Item, conditions: Mapping[str, str]) -> Response:
        """The page, also behind a meta refresh: that is a hop like any other, checked and counted by the fetcher."""
        asked = complete(item.url or "")
        response, seen = await self._fetcher.fetch(asked, headers=conditions), {urldefrag(asked).url}
        while response.status == 200 and (target := refresh_target(response.content, response.final_url)):
            seen.add(urldefrag(response.final_url).url)
            if urldefrag(target).url in seen:
                break
            try:
                response = await self._fetcher.fetch(target, hops=response.hops + 1)
            except BadUrl as error:
                raise RedirectRefused(f"The page sends its readers on to {target[:100]}") from error
        return response

    def _is_heeded(self, item: Item) -> bool:
        return self._heeds == "all" or (self._heeds == "feeds" and item.source.startswith("feed:"))


async def _conditions(claim: Claim, ctx: StageContext) -> dict[str, str]:
    """Whether the page has changed since it was fetched last, when that body became the item's text.

    Of one that was refused (a challenge, say) no 304 may say that it is still what there is.
    """
    last, item = claim.capture, claim.item
    if last is None or item is None or last.provider != "direct" or last.url != complete(item.url or ""):
        return {}
    if last.final_url != last.url:  # what is behind a redirect has an ETag of its own
        return {}
    try:
        await ctx.document()
    except NotFound:
        return {}
    headers = {}
    if last.etag:
        headers["If-None-Match"] = last.etag
    if last.last_modified:
        headers["If-Modified-Since"] = last.last_modified
    return headers


def _divert(reason: Reason, effects: tuple[Effect, ...] = (), *, spent: tuple[str, ...] = ()) -> Divert:
    return Divert(stage=Stage.FALLING_BACK, reason=reason, effects=effects, spent=spent)


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
