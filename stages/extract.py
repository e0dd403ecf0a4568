"""300: from the body as it came to the article in it: text, Markdown, safe HTML and what the page says of itself."""

from __future__ import annotations

import datetime as dt
from typing import Final, Protocol

from pipeline.documents import Extracted
from pipeline.effects import KeepDocument, NameKey
from pipeline.items import Capture, Reason
from pipeline.lifecycle import Stage
from pipeline.stage import StageContext, StageSpec
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Bury, Claim, Outcome
from stages.text.canonical import named_key

_DAY_MS: Final = 86_400_000


class Parser(Protocol):
    """What of the parse pool this stage needs."""

    async def extract(
        self, content: bytes, *, url: str, media_type: str, today: str, charset: str | None = None
    ) -> Extracted | None: ...


class Extract:
    """Buries an item in whose body there is no text (`no_text`)."""

    def __init__(self, parser: Parser, *, slots: int, deadline: float) -> None:
        self._parser = parser
        self.spec = StageSpec(
            name="extract", hundred=300, slots=slots, deadline=deadline, following=400, needs_bodies=True
        )

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        capture = claim.capture
        if capture is None:
            return Bury(reason=Reason(code="no_body", hint="Nothing was fetched for this item; send it through again."))
        content = await ctx.body(capture.body)
        document = await self._parser.extract(
            content,
            url=capture.final_url,
            media_type=capture.media_type,
            charset=capture.charset,
            today=_tomorrow(ctx.wall_ms()),
        )
        if document is None:
            reason = Reason(
                code="no_text", hint="The page holds no text: it may be made by scripts alone, or be an image."
            )
            return Bury(reason=reason)
        _steps(ctx, document)
        return Advance(effects=(KeepDocument(document=document), NameKey(url_key=_named(document, claim, capture))))


def _named(document: Extracted, claim: Claim, capture: Capture) -> str | None:
    own = claim.item.url_key if claim.item else None
    if own is None:
        return None  # a note has no address
    return named_key(document.canonical, own, canonicalise(capture.final_url))


def _steps(ctx: StageContext, document: Extracted) -> None:
    ctx.step(Stage.EXTRACTED, method=document.method, bytes=len(document.text.encode("utf-8", "replace")))
    ctx.step(Stage.METADATA, detail=", ".join(name for name in _SAID if getattr(document, name)))
    ctx.step(Stage.FORMATTED, bytes=len(document.html.encode("utf-8", "replace")))
    ctx.step(Stage.PROCESSED)


_SAID: Final = ("title", "author", "site", "published", "language", "description", "canonical")


def _tomorrow(now_ms: int) -> str:
    """No article is from later than this: the next day's date, as somewhere that day has begun."""
    moment = dt.datetime.fromtimestamp((now_ms + _DAY_MS) / 1000, dt.UTC)
    return moment.date().isoformat()
