"""Short ways to do with a store what the roles do, for tests of what must come out."""

from __future__ import annotations

from pipeline.documents import Enriched, Extracted
from pipeline.effects import ClaimContent, Index, KeepCapture, KeepDocument, KeepEnrichment
from pipeline.items import Submission
from pipeline.store.finish import Finished
from pipeline.store.handle import Store
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Claim, Outcome

BOOT = "boot-1"
EVERYTHING = {0: 10, 100: 100, 200: 100, 300: 100, 400: 100, 500: 100}
NEXT = {100: 200, 200: 300, 300: 400, 400: 500, 500: None, 0: None}


class TestClock:
    """A clock that a test moves."""

    __test__ = False

    def __init__(self) -> None:
        self.wall = 1_790_000_000_000
        self.mono = 1000.0

    def wall_ms(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    def pass_seconds(self, seconds: float) -> None:
        self.wall += round(seconds * 1000)
        self.mono += seconds


def page(url: str, **more: object) -> Submission:
    return Submission(url=url, url_key=canonicalise(url), **more)  # type: ignore[arg-type]


async def claim_all(store: Store, boot: str = BOOT) -> tuple[Claim, ...]:
    return await store.queue.claim(EVERYTHING, boot=boot)


async def finish(store: Store, claim: Claim, outcome: Outcome, boot: str = BOOT) -> Finished:
    following = NEXT[claim.stage - claim.stage % 100]
    return await store.queue.finish(claim, outcome, steps=(), following=following, boot=boot)


def captured(claim: Claim, final_url: str | None = None) -> Advance:
    assert claim.item is not None
    url = claim.item.url or ""
    final = final_url or url
    effect = KeepCapture(
        content=b"<p>" + url.encode() + b"</p>",
        url=url,
        final_url=final,
        final_key=canonicalise(final),
        status=200,
        media_type="text/html",
        charset="utf-8",
        captured_at=1,
    )
    return Advance(effects=(effect,))


def extracted(text: str, title: str = "A title") -> Advance:
    document = Extracted(text=text, markdown=text, html=f"<p>{text}</p>", title=title, method="test")
    return Advance(effects=(KeepDocument(document=document),))


def enriched() -> Advance:
    found = Enriched(language="en", word_count=3, reading_minutes=1, summary="A summary.", phrases=("phrase",))
    return Advance(effects=(KeepEnrichment(enrichment=found),))


async def run_through(store: Store, claim: Claim, *, text: str, final_url: str | None = None) -> Finished:
    """Take one claim at 100 through all stages to its end."""
    outcomes: list[Outcome] = [
        captured(claim, final_url),
        Advance(),
        extracted(text),
        enriched(),
        Advance(effects=(ClaimContent(text_hash=text, content_hash="c"), Index())),
    ]
    at: Claim | None = claim
    finished: Finished | None = None
    for outcome in outcomes:
        assert at is not None
        finished = await finish(store, at, outcome)
        at = finished.next
        if at is None:
            break
    assert finished is not None
    return finished
