"""400: what can be found out about the text itself. A nicety: an item whose text defeats it goes on without."""

from __future__ import annotations

from typing import Protocol

import anyio.to_thread

from pipeline.documents import Enriched
from pipeline.effects import KeepEnrichment
from pipeline.errors import ParseError
from pipeline.lifecycle import Stage
from pipeline.stage import StageContext, StageSpec
from pipeline.work import Advance, Claim, Outcome
from stages.text.declared import primary
from stages.text.reading import count, minutes


class Parser(Protocol):
    """What of the parse pool this stage needs."""

    async def enrich(self, text: str, *, title: str | None = None, declared: str | None = None) -> Enriched: ...


class Enrich:
    """Never holds an item up: when the parser fails, only words are counted, and the step says why."""

    def __init__(self, parser: Parser, *, slots: int, deadline: float) -> None:
        self._parser = parser
        self.spec = StageSpec(name="enrich", hundred=400, slots=slots, deadline=deadline, following=500)

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        del claim  # all it takes is the document
        document = await ctx.document()
        try:
            found = await self._parser.enrich(document.text, title=document.title, declared=document.language)
        except ParseError as error:
            found = await _counted(document.text, document.language)
            ctx.step(Stage.ENRICHED, method="count", error=error.code, detail=error.message)
            return Advance(effects=(KeepEnrichment(enrichment=found),))
        ctx.step(Stage.SUMMARISED, detail=f"{found.word_count} words, {found.language or 'language unknown'}")
        ctx.step(Stage.TOPICS, detail=", ".join(found.phrases))
        ctx.step(Stage.ENRICHED)
        return Advance(effects=(KeepEnrichment(enrichment=found),))


async def _counted(text: str, declared: str | None) -> Enriched:
    words, cjk = await anyio.to_thread.run_sync(count, text)  # half a second for the largest texts
    return Enriched(
        language=primary(declared),
        word_count=words + cjk,
        reading_minutes=minutes(words, cjk),
        summary="",
        phrases=(),
    )
