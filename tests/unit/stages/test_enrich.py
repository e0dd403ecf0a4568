"""400: a nicety that never holds an item up."""

from __future__ import annotations

import pytest

from pipeline.documents import Enriched
from pipeline.effects import KeepEnrichment
from pipeline.errors import NotFound, ParseCrashed, ParseError, ParseTimeout
from pipeline.work import Advance, Outcome
from stages.enrich import Enrich
from stages.parse.pool import ParsePool
from stages.settings import ParseSettings
from tests.unit.stages.fake_context import FakeContext, a_claim
from tests.unit.stages.samples import DOCUMENT


class Failing:
    """A pool whose every job fails."""

    def __init__(self, error: ParseError) -> None:
        self._error = error

    async def enrich(self, text: str, *, title: str | None = None, declared: str | None = None) -> Enriched:
        raise self._error


def enriched(outcome: Outcome) -> Enriched:
    assert isinstance(outcome, Advance)
    (effect,) = outcome.effects
    assert isinstance(effect, KeepEnrichment)
    return effect.enrichment


async def test_a_document_is_enriched() -> None:
    ctx = FakeContext(document=DOCUMENT)
    async with ParsePool(ParseSettings(), 1) as pool:
        found = enriched(await Enrich(pool, slots=1, deadline=60.0).handle(a_claim(), ctx))
    assert (found.language, found.word_count, found.reading_minutes) == ("en", 6, 1)
    assert ctx.codes == [420, 430, 490]


@pytest.mark.parametrize("error", [ParseTimeout("slow"), ParseCrashed("dead"), ParseError("broken")])
async def test_an_item_whose_text_defeats_the_parser_goes_on_with_its_words_counted(error: ParseError) -> None:
    ctx = FakeContext(document=DOCUMENT)
    found = enriched(await Enrich(Failing(error), slots=1, deadline=60.0).handle(a_claim(), ctx))
    assert (found.language, found.word_count, found.summary, found.phrases) == ("en", 6, "", ())
    assert [(step.code, step.error) for step in ctx.steps] == [(490, error.code)]


async def test_without_a_document_there_is_nothing_to_enrich() -> None:
    with pytest.raises(NotFound):
        await Enrich(Failing(ParseError("x")), slots=1, deadline=60.0).handle(a_claim(), FakeContext())
