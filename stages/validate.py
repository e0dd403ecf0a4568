"""200: is what was fetched the article? What is not is never stored as one, and keeps its verdict.

A page that is refused falls back while a provider is left to ask; what a provider found must be like what was sought.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from pipeline.effects import SetVerdict
from pipeline.errors import BadUrl, Unsupported
from pipeline.items import Capture, Item, Kind, Reason
from pipeline.lifecycle import Stage, Verdict
from pipeline.stage import StageContext, StageSpec
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Bury, Claim, Divert, Outcome
from stages.text.glance import Glance
from stages.text.judge import judge
from stages.text.judgement import Addresses, Judgement, refused
from stages.text.likeness import Known, likeness
from stages.text.sniff import READABLE, effective_type

# A copy of the very address is another page only when it shares next to nothing with the title that was given. Pages of
# the corpus come to 0.29 or more with their own titles, even where those stand nowhere in the page
# (tests/unit/stages/text/test_likeness.py).
SAME_ADDRESS_LEAST: Final = 0.15
DETAIL_CHARS: Final = 1000
_DIRECT: Final = "direct"
_FROM_THE_SITE: Final = frozenset({_DIRECT, "browser"})
_PAGE_TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})
_KINDS: Final = {
    "application/pdf": "This is a PDF file; so far Atlas reads web pages and plain text.",
    "image": "This is a picture; there is no text in it to keep.",
    "video": "This is a video; there is no text in it to keep.",
    "audio": "This is a sound recording; there is no text in it to keep.",
    "application/rss+xml": "This is a feed: add it under feeds to get its articles.",
}
_OTHER: Final = "Atlas reads web pages and plain text."
_NOT_ALIKE: Final = "Another page was found in its place, which is not kept. Save the one you want by its own address."


class GlancePort(Protocol):
    """What of the parse pool this stage needs: pages are never parsed in the worker itself."""

    async def glance(self, content: bytes, *, url: str, media_type: str, charset: str | None = None) -> Glance: ...


class Validate:
    """Passes articles on with their verdict; what is none falls back, or is buried with a verdict and its own code.

    `providers` are those that may be asked; a copy from another address must come to `least_similarity`.
    """

    def __init__(
        self,
        parse: GlancePort,
        *,
        slots: int,
        deadline: float,
        providers: Sequence[str] = (),
        least_similarity: float = 0.5,
    ) -> None:
        self._parse = parse
        self._providers = tuple(providers)
        self._least = least_similarity
        diverts = (Stage.FALLING_BACK,) if self._providers else ()
        self.spec = StageSpec(
            name="validate", hundred=200, slots=slots, deadline=deadline, following=300, diverts=diverts
        )

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        capture, item = claim.capture, claim.item
        if capture is None or item is None:
            return Bury(reason=Reason(code="no_body", hint="Nothing was fetched for this item; send it through again."))
        content = await ctx.body(capture.body)
        ctx.step(Stage.VALIDATING, bytes=len(content))
        media_type = effective_type(capture.media_type, content)
        judgement = await self._judge(content, media_type, capture, item)
        if judgement.code is not None:
            return self._refuse(claim, item, capture, judgement, ctx)
        alike = "" if judgement.similarity is None else f", likeness {judgement.similarity:.2f}"
        ctx.step(Stage.QUALITY, detail=judgement.evidence)
        ctx.step(Stage.COMPLETENESS, detail=f"{judgement.verdict}{alike}")
        ctx.step(Stage.FORMAT, detail=media_type)
        ctx.step(Stage.PASSED)
        return Advance(effects=(_verdict(judgement, judgement.verdict),))

    async def _judge(self, content: bytes, media_type: str, capture: Capture, item: Item) -> Judgement:
        """What the body is, and of a copy, how like it is to what was sought."""
        if not content.strip():
            hint = "The site sent nothing at all; it may be broken at the moment."
            return refused(Verdict.STUB, "empty", "an empty body", hint)
        if media_type not in READABLE:
            hint = _KINDS.get(media_type) or _KINDS.get(media_type.partition("/")[0], _OTHER)
            return refused(Verdict.STUB, Unsupported.code, media_type, hint)
        glance = await self._parse.glance(
            content, url=capture.final_url, media_type=media_type, charset=capture.charset
        )
        from_site = capture.provider in _FROM_THE_SITE
        addresses = Addresses(asked=capture.url, final=capture.final_url) if from_site else None
        judgement = judge(glance, whole=media_type in _PAGE_TYPES, addresses=addresses)
        if from_site:
            return judgement
        alike = likeness(Known(title=item.given_title, url=item.url or ""), glance)
        unlike = self._unlike(item, capture, alike) if judgement.code is None else None
        return msgspec.structs.replace(unlike or judgement, similarity=alike)

    def _unlike(self, item: Item, capture: Capture, alike: float | None) -> Judgement | None:
        """A copy that is not of the page that was sought."""
        if _same_address(item, capture):
            least = SAME_ADDRESS_LEAST
            passes = not item.given_title or alike is None or alike >= least
        else:
            least = self._least
            passes = alike is not None and alike >= least
        if passes:
            return None
        said = "nothing is known to compare it by" if alike is None else f"likeness {alike:.2f}, below {least:.2f}"
        return refused(Verdict.STUB, "not_alike", f"a copy of {capture.final_url[:200]}: {said}", _NOT_ALIKE)

    def _refuse(
        self, claim: Claim, item: Item, capture: Capture, judgement: Judgement, ctx: StageContext
    ) -> Divert | Bury:
        ctx.step(Stage.FAILED, error=judgement.code, detail=judgement.evidence)
        copy = capture.provider != _DIRECT
        reason = _reason(judgement, item, capture) if copy else _own_reason(judgement)
        # What became of the page itself counts, not what became of its copies.
        effects = (_verdict(judgement, (item.verdict if copy else None) or judgement.verdict),)
        if judgement.code == Unsupported.code and not copy:  # another copy of a picture is a picture, too
            return Bury(reason=reason, effects=effects)
        left = set(self._providers) - {*claim.spent, capture.provider}
        if item.kind != Kind.PAGE or not left:
            return Bury(reason=reason, effects=effects)
        spent = (capture.provider,) if copy else ()
        return Divert(stage=Stage.FALLING_BACK, reason=reason, effects=effects, spent=spent)


def _verdict(judgement: Judgement, verdict: Verdict) -> SetVerdict:
    return SetVerdict(verdict=verdict, evidence=judgement.evidence, similarity=judgement.similarity)


def _own_reason(judgement: Judgement) -> Reason:
    return Reason(code=judgement.code or "", hint=judgement.hint, detail=judgement.evidence)


def _reason(judgement: Judgement, item: Item, capture: Capture) -> Reason:
    """Why the item fell back in the first place is what a person can do something about; the copy is a detail of it."""
    first = item.reason
    if first is None:
        return _own_reason(judgement)
    of_copy = f"copy by {capture.provider}: {judgement.code}, {judgement.evidence}"
    detail = f"{first.detail}; {of_copy}" if first.detail else of_copy
    return Reason(code=first.code, hint=first.hint, detail=detail[:DETAIL_CHARS], error_id=first.error_id)


def _same_address(item: Item, capture: Capture) -> bool:
    try:
        return canonicalise(capture.final_url) == item.url_key
    except BadUrl:
        return False
