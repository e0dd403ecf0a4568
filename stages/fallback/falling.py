"""Falling back: one provider is asked for each claim, so that every answer is on the disk before the next is asked."""

from __future__ import annotations

from typing import Final
from urllib.parse import urldefrag

import anyio
import msgspec

from pipeline.effects import KeepCapture
from pipeline.errors import TAKES_NO_WRITE, AtlasError, BreakerOpen, NetworkDown, RateLimited, StoreError
from pipeline.items import Item, Reason
from pipeline.lifecycle import Stage
from pipeline.stage import StageContext
from pipeline.text.urls import canonicalise, complete
from pipeline.work import Advance, Bury, Claim, Divert, Outcome, Retry
from stages.fallback.captured import digits_of
from stages.fallback.chain import Chain
from stages.fallback.provider import Copy, Provider, Sought
from stages.text.sniff import effective_type

_UNKNOWN: Final = Reason(code="fetch", hint="The page could not be had.")
_BETWEEN: Final = " · "  # the first failure's detail, and what became of the search for a copy
_ENOUGH: Final = 0.25  # of the time for one provider
_LEAST_SECONDS: Final = 1.0  # between two looks at who may be asked


class FallingBack:
    """What acquire does with an item at 140. `ask_seconds` bounds one provider, `patience_seconds` the wait for those
    that are left alone."""

    def __init__(self, chain: Chain, *, ask_seconds: float, patience_seconds: float) -> None:
        self._chain = chain
        self._ask_seconds = ask_seconds
        self._patience_seconds = patience_seconds

    def is_open_to(self, claim: Claim) -> bool:
        """Whether anybody is left to ask about the claim's item."""
        url = claim.item.url if claim.item else None
        return url is not None and bool(self._chain.left(complete(url), claim.spent))

    async def handle(self, claim: Claim, item: Item, ctx: StageContext) -> Outcome:
        """Ask the first provider that can be asked now. The reason why the page itself is not had stays the item's."""
        reason, url = item.reason or _UNKNOWN, complete(item.url or "")
        sought = Sought(url=urldefrag(url).url, title=item.given_title, wanted_at=item.created_at)
        waits: list[RateLimited | BreakerOpen] = []
        end = anyio.current_time() + self._ask_seconds  # for all of them: most claims ask only one
        for provider in self._chain.left(url, claim.spent):
            seconds = end - anyio.current_time()
            if seconds < _ENOUGH * self._ask_seconds:  # waiting for turns took it: too little to blame anybody by
                break
            try:
                copy = await self._chain.ask(provider, sought, seconds=seconds)
            except NetworkDown as error:  # however long that lasts: patience is for providers
                return Retry(reason=_adding(reason, error.message), after=error.retry_after, costs_attempt=False)
            except (RateLimited, BreakerOpen) as error:
                waits.append(error)
                continue
            except TAKES_NO_WRITE as error:  # nobody was asked, because it could not be counted
                return Retry(reason=_adding(reason, error.message), costs_attempt=False)
            except StoreError:
                raise
            except AtlasError as error:
                return _spent(provider, reason, ctx, error=error.code, detail=error.message)
            if copy is None:
                return _spent(provider, reason, ctx, error="no_copy", detail="has no copy")
            return _kept(copy, provider, item, ctx)
        patience = self._patience_seconds - (ctx.wall_ms() - claim.entered_at) / 1000
        if waits and patience > 0:
            return _wait(waits, reason, patience)
        return _buried(self._chain, claim, reason, waits)

    def give_up(self, claim: Claim, item: Item) -> Bury:
        """The end of an item that nobody has: with its first reason."""
        return _buried(self._chain, claim, item.reason or _UNKNOWN, [])


def _spent(provider: Provider, reason: Reason, ctx: StageContext, *, error: str, detail: str) -> Divert:
    ctx.step(Stage.FALLING_BACK, method=provider.name, error=error, detail=detail)
    return Divert(stage=Stage.FALLING_BACK, reason=_first(reason), spent=(provider.name,))


def _kept(copy: Copy, provider: Provider, item: Item, ctx: StageContext) -> Advance:
    """A copy of another address never takes that address's key: whether it is the page is still to be judged."""
    now = ctx.wall_ms()
    ctx.step(Stage.FALLING_BACK, method=provider.name)
    taken = "" if copy.captured_at is None else f", captured {_day(copy.captured_at)}"
    ctx.step(
        Stage.RETRIEVED_ELSEWHERE, method=provider.name, bytes=len(copy.content), detail=f"{copy.url[:500]}{taken}"
    )
    ctx.step(Stage.ACQUIRED)
    own = item.url_key or ""
    capture = KeepCapture(
        content=copy.content,
        url=copy.url,
        final_url=copy.base_url,
        final_key=own if provider.is_third_party else canonicalise(copy.base_url),
        status=copy.status,
        media_type=effective_type(copy.media_type, copy.content),
        charset=copy.charset,
        provider=provider.name,
        captured_at=now if copy.captured_at is None else copy.captured_at,
    )
    return Advance(effects=(capture,))


def _day(wall_ms: int) -> str:
    digits = digits_of(wall_ms)
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"


def _wait(waits: list[RateLimited | BreakerOpen], reason: Reason, patience: float) -> Retry:
    """All that are left are left alone for now: until the first may be asked again, or patience is over."""
    after = min(patience, *(error.retry_after for error in waits))
    return Retry(reason=_adding(reason, _told(waits)), after=max(after, _LEAST_SECONDS), costs_attempt=False)


def _buried(chain: Chain, claim: Claim, reason: Reason, waits: list[RateLimited | BreakerOpen]) -> Bury:
    """The first reason, with who was asked in vain and who could not be asked."""
    asked = [name for name in chain.names if name in claim.spent]
    said = [f"no usable copy from {', '.join(asked)}"] if asked else []
    if waits:
        said.append(f"not asked, because {_told(waits)}")
    return Bury(reason=_adding(reason, "; ".join(said)) if said else _first(reason))


def _told(waits: list[RateLimited | BreakerOpen]) -> str:
    return "; ".join(error.message for error in waits)


def _first(reason: Reason) -> Reason:
    return msgspec.structs.replace(reason, detail=reason.detail.partition(_BETWEEN)[0])


def _adding(reason: Reason, said: str) -> Reason:
    """The first failure stays in front, however often this is said anew."""
    return msgspec.structs.replace(reason, detail=f"{reason.detail.partition(_BETWEEN)[0]}{_BETWEEN}{said}")
