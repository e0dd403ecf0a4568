"""The provider contract: given what is sought, a copy of it or none."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """The page that is wanted, and what is known of it."""

    url: str  # complete, without credentials
    title: str | None  # that a person or a feed gave it
    wanted_at: int  # wall ms: when it was saved, which the nearest capture is looked for at


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A copy as it was fetched; it is still to be judged."""

    content: bytes  # decoded
    url: str  # where the copy was fetched
    base_url: str  # what relative links in it start from: the page's own address for an archive's copy
    status: int
    media_type: str
    charset: str | None
    captured_at: int  # wall ms: when the archive took it; now for a copy that is live
    same_address: bool  # it is of the very address that is sought (an archive's, a second try), not another's copy


class Provider(Protocol):
    """One way to get a page that cannot be had directly. A new provider is a new file and a line in the chain."""

    @property
    def name(self) -> str:
        """As `[fallback] providers` spells it; also the capture's provider and the step's method."""
        ...

    async def find(self, sought: Sought) -> Copy | None:
        """A copy, or None when it has none. Cancel-safe.

        Raises BreakerOpen and QuotaSpent (ask later) and FetchError (it is in trouble; its breaker has counted it).
        """
        ...
