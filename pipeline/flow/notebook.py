"""The context a stage gets for one claim: time, the archive, and a notebook for the steps it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from observability import trace
from observability.names import Attribute, Span
from pipeline import errors
from pipeline.clock import Clock
from pipeline.documents import Document
from pipeline.items import StepEntry
from pipeline.lifecycle import Stage
from pipeline.work import Claim

STEPS_MOST = 100  # entries of one handle(): a stage that loops may not fill the timeline
DETAIL_MOST = 2000  # letters


class Notebook:
    """StageContext for one claim. The steps in it are committed with the outcome, whatever that is."""

    def __init__(
        self,
        claim: Claim,
        *,
        clock: Clock,
        read_body: Callable[[str], Awaitable[bytes]],
        read_document: Callable[[int], Awaitable[Document]],
    ) -> None:
        self._claim = claim
        self._clock = clock
        self._read_body = read_body
        self._read_document = read_document
        self._last = clock.monotonic()
        self.steps: list[StepEntry] = []

    def wall_ms(self) -> int:
        return self._clock.wall_ms()

    def step(
        self,
        code: Stage,
        *,
        method: str = "",
        bytes: int | None = None,
        error: str | None = None,
        detail: str = "",
    ) -> None:
        now = self._clock.monotonic()
        trace.ended(
            Span.STEP + code.name.lower(),
            now - self._last,
            {
                Attribute.STAGE: int(code),
                Attribute.METHOD: method or None,
                Attribute.BYTES: bytes,
                Attribute.CODE: error,
                Attribute.DETAIL: detail or None,
            },
        )
        if len(self.steps) < STEPS_MOST:
            self.steps.append(
                StepEntry(
                    code=code,
                    at=self._clock.wall_ms(),
                    method=method,
                    bytes=bytes,
                    duration_ms=round((now - self._last) * 1000, 3),
                    error=error,
                    detail=detail[:DETAIL_MOST],
                )
            )
        self._last = now

    async def body(self, digest: str) -> bytes:
        return await self._read_body(digest)

    async def document(self) -> Document:
        if self._claim.item is None:
            raise errors.NotFound("a poll has no document")
        return await self._read_document(self._claim.item.id)
