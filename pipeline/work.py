"""Work: a claim is the right to work on one row for the time of its lease; an outcome is what a stage says of it."""

from __future__ import annotations

import msgspec

from pipeline.effects import Effect
from pipeline.items import Capture, Item, Reason
from pipeline.lifecycle import Stage


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed that is polled."""

    id: int
    uid: str
    url: str
    title: str | None
    etag: str | None
    last_modified: str | None
    interval_seconds: int
    next_poll_at: int  # wall ms
    failures: int


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One leased row. Exactly one of `item` and `feed` is set: feed polls are work of the discover stage."""

    work_id: int
    lease_token: str
    stage: int  # the number at which it entered this actor
    attempts: int  # failed tries at this stage so far
    crashes: int  # worker deaths while it was leased at this stage
    trace: dict[str, str]  # W3C trace context and correlation id, as a plain dict
    item: Item | None = None
    feed: Feed | None = None
    capture: Capture | None = None
    spent: tuple[str, ...] = ()  # fallback providers that were asked for this row already
    entered_at: int = 0  # wall ms at which the row came to this actor, or last fell back

    @property
    def subject(self) -> str:
        """What the work is about, for logs: the item's or the feed's uid."""
        match self:
            case Claim(item=Item(uid=uid)) | Claim(feed=Feed(uid=uid)):
                return uid
            case _:
                return f"work:{self.work_id}"


class Advance(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The step is done: store the effects and go on to the next stage (or end, after the last)."""

    effects: tuple[Effect, ...] = ()


class Retry(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Failed, may work later. `after` in seconds when the world named a time (Retry-After), else the policy decides."""

    reason: Reason
    after: float | None = None
    costs_attempt: bool = True


class Divert(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Go (back) to falling back: after a failed validation, a fetch in vain, or a provider without a copy.

    `spent` names the providers that need not be asked again; they are added to the row's.
    """

    stage: Stage
    reason: Reason
    effects: tuple[Effect, ...] = ()
    spent: tuple[str, ...] = ()


class Duplicate(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The item is one that is kept already: `of` is the original's item id."""

    of: int


class Bury(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Give up: a dead letter with its reason, kept and replayable. Effects (a verdict) are stored with it."""

    reason: Reason
    effects: tuple[Effect, ...] = ()


Outcome = Advance | Retry | Divert | Duplicate | Bury
