"""200: is what was fetched the article? What is not is never stored as one, and keeps its verdict."""

from __future__ import annotations

from typing import Final, Protocol

from pipeline.effects import SetVerdict
from pipeline.errors import Unsupported
from pipeline.items import Capture, Reason
from pipeline.lifecycle import Stage, Verdict
from pipeline.stage import StageContext, StageSpec
from pipeline.work import Advance, Bury, Claim, Outcome
from stages.text.glance import Glance
from stages.text.judge import Judgement, judge
from stages.text.sniff import READABLE, effective_type

_KINDS: Final = {
    "application/pdf": "This is a PDF file; so far Atlas reads web pages and plain text.",
    "image": "This is a picture; there is no text in it to keep.",
    "video": "This is a video; there is no text in it to keep.",
    "audio": "This is a sound recording; there is no text in it to keep.",
    "application/rss+xml": "This is a feed: add it under feeds to get its articles.",
}
_OTHER: Final = "Atlas reads web pages and plain text."


class GlancePort(Protocol):
    """What of the parse pool this stage needs: pages are never parsed in the worker itself."""

    async def glance(self, content: bytes, *, url: str, media_type: str, charset: str | None = None) -> Glance: ...


class Validate:
    """Passes articles on with their verdict, buries the rest with a verdict and a code of its own."""

    def __init__(self, parse: GlancePort, *, slots: int, deadline: float) -> None:
        self._parse = parse
        self.spec = StageSpec(
            name="validate", hundred=200, slots=slots, deadline=deadline, following=300, needs_bodies=True
        )

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        capture = claim.capture
        if capture is None:
            return Bury(reason=Reason(code="no_body", hint="Nothing was fetched for this item; send it through again."))
        content = await ctx.body(capture.body)
        ctx.step(Stage.VALIDATING, bytes=len(content))
        media_type = effective_type(capture.media_type, content)
        judgement = await self._judge(content, media_type, capture)
        if judgement.code is not None:
            return _failed(judgement, ctx)
        ctx.step(Stage.QUALITY, detail=judgement.evidence)
        ctx.step(Stage.COMPLETENESS, detail=judgement.verdict)
        ctx.step(Stage.FORMAT, detail=media_type)
        ctx.step(Stage.PASSED)
        return Advance(effects=(SetVerdict(verdict=judgement.verdict, evidence=judgement.evidence),))

    async def _judge(self, content: bytes, media_type: str, capture: Capture) -> Judgement:
        if not content.strip():
            hint = "The site sent nothing at all; it may be broken at the moment."
            return Judgement(verdict=Verdict.STUB, code="empty", evidence="an empty body", hint=hint)
        if media_type not in READABLE:
            hint = _KINDS.get(media_type) or _KINDS.get(media_type.partition("/")[0], _OTHER)
            return Judgement(verdict=Verdict.STUB, code=Unsupported.code, evidence=media_type, hint=hint)
        glance = await self._parse.glance(
            content, url=capture.final_url, media_type=media_type, charset=capture.charset
        )
        return judge(glance, whole=media_type in ("text/html", "application/xhtml+xml"))


def _failed(judgement: Judgement, ctx: StageContext) -> Bury:
    code = judgement.code or Unsupported.code
    ctx.step(Stage.FAILED, error=code, detail=judgement.evidence)
    reason = Reason(code=code, hint=judgement.hint, detail=judgement.evidence)
    return Bury(reason=reason, effects=(SetVerdict(verdict=judgement.verdict, evidence=judgement.evidence),))
