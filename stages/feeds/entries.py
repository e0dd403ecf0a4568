"""What a feed says, as values that cross from the parse process to the worker."""

from __future__ import annotations

import msgspec

ENTRIES_MAX = 10_000


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as the feed gives it; its address is absolute, but not yet checked or canonical."""

    entry_key: str  # the feed's own id of it, else its address
    url: str
    title: str | None = None
    published: str | None = None  # ISO 8601, UTC
    summary: str | None = None  # plain text


class ParsedFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed of any of the formats; `entries` in the feed's order, at most ENTRIES_MAX."""

    title: str | None
    site: str | None
    entries: tuple[FeedEntry, ...]
    skipped: int = 0  # entries without an address, and those past the limit
