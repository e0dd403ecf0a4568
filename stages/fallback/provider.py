"""The provider contract: given what is sought, a copy of it or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from stages.net.client import Response


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """The page that is wanted, and what is known of it."""

    url: str  # complete, without credentials and fragment
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
    captured_at: int | None = None  # wall ms: when an archive took it; None for a copy that is live


class Provider(Protocol):
    """One way to get a page that cannot be had directly. A new provider is a new file and a line in the chain."""

    @property
    def name(self) -> str:
        """As `[fallback] providers` spells it; also the capture's provider and the step's method."""
        ...

    @property
    def is_third_party(self) -> bool:
        """Whether somebody else is told the address. Such a provider has a breaker of its own."""
        ...

    async def find(self, sought: Sought) -> Copy | None:
        """A copy, or None when it has none. Cancel-safe.

        Raises BreakerOpen, RateLimited and QuotaSpent (ask later), any other FetchError (it is in trouble).
        """
        ...


class FetchPort(Protocol):
    """What of the fetcher providers need."""

    async def fetch(
        self, url: str, *, headers: Mapping[str, str] | None = None, max_bytes: int | None = None
    ) -> Response: ...
