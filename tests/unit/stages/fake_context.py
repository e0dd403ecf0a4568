"""A StageContext that holds what a test puts in and keeps what a stage says, and claims to go with it."""

from __future__ import annotations

import hashlib

from pipeline.documents import Document
from pipeline.errors import NotFound, StoreUnreadable
from pipeline.items import Capture, Item, Kind, StepEntry
from pipeline.lifecycle import Priority, Stage, State
from pipeline.work import Claim

NOW_MS = 1_795_435_200_000  # Mon, 23 Nov 2026 12:00:00 GMT


class FakeContext:
    def __init__(self, *, document: Document | None = None, now_ms: int = NOW_MS) -> None:
        self.steps: list[StepEntry] = []
        self.bodies: dict[str, bytes] = {}
        self.now_ms = now_ms
        self._document = document

    @property
    def codes(self) -> list[int]:
        return [step.code for step in self.steps]

    def keep(self, content: bytes) -> str:
        """Archive a body; its digest."""
        digest = hashlib.sha256(content).hexdigest()
        self.bodies[digest] = content
        return digest

    def wall_ms(self) -> int:
        return self.now_ms

    def step(
        self,
        code: Stage,
        *,
        method: str = "",
        bytes: int | None = None,
        error: str | None = None,
        detail: str = "",
    ) -> None:
        entry = StepEntry(code=int(code), at=self.now_ms, method=method, bytes=bytes, error=error, detail=detail)
        self.steps.append(entry)

    async def body(self, digest: str) -> bytes:
        try:
            return self.bodies[digest]
        except KeyError:
            raise StoreUnreadable(f"There is no body {digest}") from None

    async def document(self) -> Document:
        if self._document is None:
            raise NotFound("The item has no document")
        return self._document


def an_item(url: str | None = "https://site.test/a", *, raised_at: int = NOW_MS, kind: Kind = Kind.PAGE) -> Item:
    return Item(
        id=1, uid="01JDCZ3VT0000000000000000A", kind=kind, url=url, url_key=url, title=None, given_title=None,
        stage=110, state=State.LEASED, reason=None, verdict=None, attempts=0, priority=Priority.PERSON, source="api",
        tags=(), duplicate_of=None, created_at=raised_at, changed_at=raised_at, raised_at=raised_at, read_at=None,
        starred_at=None, archived_at=None, deleted_at=None,
    )  # fmt: skip


def a_claim(
    item: Item | None = None, *, stage: int = 110, capture: Capture | None = None, attempts: int = 0, crashes: int = 0
) -> Claim:
    return Claim(
        work_id=1,
        lease_token="t" * 32,
        stage=stage,
        attempts=attempts,
        crashes=crashes,
        trace={},
        item=item or an_item(),
        capture=capture,
    )


def a_capture(
    ctx: FakeContext,
    content: bytes,
    *,
    media_type: str = "text/html",
    charset: str | None = None,
    url: str = "https://site.test/a",
) -> Capture:
    return Capture(
        body=ctx.keep(content),
        size=len(content),
        url=url,
        final_url=url,
        status=200,
        media_type=media_type,
        charset=charset,
    )
