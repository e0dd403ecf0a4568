"""The stage contract: values in, an outcome out. A stage never touches the store and knows no other stage."""

from __future__ import annotations

from typing import Protocol

import msgspec

from pipeline.documents import Document
from pipeline.lifecycle import Stage
from pipeline.work import Claim, Outcome


class StageSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the pipeline must know of a stage. Checked at start by `topology`."""

    name: str
    hundred: int  # 0, 100, ... 500
    slots: int  # how many claims are handled at once
    deadline: float  # seconds for one handle(); past it the try has failed
    following: int | None = None  # the hundred that comes after; None ends the item
    diverts: tuple[Stage, ...] = ()  # where else it may send a row
    needs_bodies: bool = False  # it reads or keeps bodies: while the archive is away its rows wait


class StageContext(Protocol):
    """What a stage may ask of the pipeline while it handles one claim."""

    def wall_ms(self) -> int:
        """Wall time in milliseconds."""
        ...

    def step(
        self,
        code: Stage,
        *,
        method: str = "",
        bytes: int | None = None,
        error: str | None = None,
        detail: str = "",
    ) -> None:
        """Put a step on the item's timeline. Kept with the outcome, whatever it is; durations run from step to step."""
        ...

    async def body(self, digest: str) -> bytes:
        """The archived body with this SHA-256 (hex). Raises StoreUnreadable when it is missing or damaged."""
        ...

    async def document(self) -> Document:
        """The item's document as stored so far. Raises NotFound before extract has run."""
        ...


class StageActor(Protocol):
    """One hundred: `stages/<name>.py` provides one."""

    @property
    def spec(self) -> StageSpec: ...

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        """Do the step. Cancel-safe: a cancelled handle has stored nothing and may be called again.

        Failures are returned, or raised as AtlasError: `flow.actor` makes a Retry of retryable ones, else a Bury.
        """
        ...
