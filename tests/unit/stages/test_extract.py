"""300: bodies become documents, in real parse processes."""

from __future__ import annotations

import pytest

from pipeline.effects import KeepDocument, NameKey
from pipeline.errors import StoreUnreadable
from pipeline.work import Advance, Bury
from stages.extract import Extract
from stages.parse.pool import ParsePool
from stages.settings import ParseSettings
from tests.unit.stages.fake_context import FakeContext, a_capture, a_claim

PAGE = (
    "<html><head><title>Der Titel einer Seite</title></head><body><p>"
    + "Größe zählt für Bäume. " * 20
    + "</p></body></html>"
)


async def test_a_page_becomes_a_document_and_its_steps_stand_on_the_timeline() -> None:
    ctx = FakeContext()
    capture = a_capture(ctx, PAGE.encode("cp1252"), charset="iso-8859-1")
    async with ParsePool(ParseSettings(), 1) as pool:
        outcome = await Extract(pool, slots=1, deadline=60.0).handle(a_claim(capture=capture), ctx)
    match outcome:
        case Advance(effects=(KeepDocument(document=document), NameKey())):
            assert document.title == "Der Titel einer Seite"
            assert document.text.startswith("Größe zählt")
            assert document.charset == "cp1252"
        case _:
            pytest.fail(str(outcome))
    assert ctx.codes == [310, 350, 360, 390]
    assert ctx.steps[0].method == "trafilatura"


async def test_a_body_without_text_is_buried() -> None:
    ctx = FakeContext()
    capture = a_capture(ctx, b"<html><body><script>app()</script></body></html>")
    async with ParsePool(ParseSettings(), 1) as pool:
        outcome = await Extract(pool, slots=1, deadline=60.0).handle(a_claim(capture=capture), ctx)
    assert isinstance(outcome, Bury)
    assert outcome.reason.code == "no_text"


async def test_an_item_without_a_body_is_buried_and_a_damaged_archive_is_an_error() -> None:
    ctx = FakeContext()
    async with ParsePool(ParseSettings(), 1) as pool:
        stage = Extract(pool, slots=1, deadline=60.0)
        outcome = await stage.handle(a_claim(), ctx)
        assert isinstance(outcome, Bury)
        assert outcome.reason.code == "no_body"
        capture = a_capture(FakeContext(), b"kept elsewhere")
        with pytest.raises(StoreUnreadable):
            await stage.handle(a_claim(capture=capture), ctx)
