"""500: claim the text (a copy of a kept one ends as its duplicate), note what it links to and what is almost the same,
make it searchable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import anyio.to_thread

from pipeline.documents import Document
from pipeline.effects import ClaimContent, CrossReference, Effect, Index, Resemble
from pipeline.errors import BadUrl
from pipeline.lifecycle import Stage
from pipeline.stage import StageContext, StageSpec
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Claim, Outcome
from stages.text.fingerprint import counted, fingerprint
from stages.text.normal import content_hash, text_hash

LINKS_MAX: Final = 500
# Two pages that say "Loading…" or "Subscribe to read on" are not one page. A person's own notes may be short.
WORDS_LEAST: Final = 20


class Finalise:
    """The last stage. 590 or 599 is written by the store, in the transaction that applies these effects."""

    def __init__(self, *, slots: int, deadline: float) -> None:
        self.spec = StageSpec(name="finalise", hundred=500, slots=slots, deadline=deadline)

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        document = await ctx.document()
        url = claim.item.url_key if claim.item and claim.item.url_key else ""
        content, sketch, links = await anyio.to_thread.run_sync(_prepared, document, url)  # a long text takes 100 ms
        ctx.step(Stage.CROSS_REFERENCED, detail=f"{len(links.url_keys)} links")
        ctx.step(Stage.INDEXED)
        effects: tuple[Effect, ...] = (content, sketch, links, Index())
        return Advance(effects=effects)


def _prepared(document: Document, url: str) -> tuple[ClaimContent, Resemble, CrossReference]:
    told = not url or counted(document.text, most=WORDS_LEAST) >= WORDS_LEAST
    content = ClaimContent(
        text_hash=text_hash(document.text) if told else None, content_hash=content_hash(url, document.text)
    )
    return (
        content,
        Resemble(sketch=fingerprint(document.text)),
        CrossReference(url_keys=canonical(document.links, own=url)),
    )


def canonical(links: Iterable[str], *, own: str = "") -> tuple[str, ...]:
    """The canonical keys of links, each once, without the page's own and those that are no web addresses."""
    found: dict[str, None] = {}
    for link in links:
        try:
            key = canonicalise(link)
        except BadUrl:
            continue
        if key != own:
            found.setdefault(key)
        if len(found) == LINKS_MAX:
            break
    return tuple(found)
