"""Effects: what a stage asks to be stored, in the transaction that finishes its step or not at all."""

from __future__ import annotations

import msgspec

from pipeline.documents import Enriched, Extracted
from pipeline.items import Submission
from pipeline.lifecycle import Verdict


class KeepCapture(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Keep a fetched body. The bytes go to archive.db first, so a crash leaves at worst an orphan there.

    `final_key` is the canonical key of `final_url`: when another kept item owns it, the step ends as its duplicate.
    """

    content: bytes  # decoded; b"" once the store has put it into archive.db
    url: str
    final_url: str
    final_key: str
    status: int
    media_type: str
    charset: str | None
    etag: str | None = None
    last_modified: str | None = None
    provider: str = "direct"
    captured_at: int = 0
    similarity: float | None = None  # to the page that was asked for, 0 to 1; None where nothing was compared
    digest: str = ""  # set by the store: the body's key in archive.db
    size: int = 0  # set by the store


class SetVerdict(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    verdict: Verdict
    evidence: str
    similarity: float | None = None  # of the newest capture to what was sought, 0 to 1; None leaves what it has


class KeepDocument(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    document: Extracted


class KeepEnrichment(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    enrichment: Enriched


class ClaimContent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Claim the text. When a kept item has the same `text_hash`, the step ends as a duplicate (599) of that item.

    None for a text that says too little to tell one page from another.
    """

    text_hash: str | None
    content_hash: str


class NameKey(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The canonical key that the page gives itself (rel=canonical), None when it gives none that may be believed.

    It is only noted: no save is ever answered by it. See Resemble.
    """

    url_key: str | None


class Resemble(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Keep the text's sketch (None: too short for one) and link the kept items with almost the same text.

    When one of them is the same page by its own word or this one's (NameKey) and the texts hardly differ, the step
    ends as a duplicate (599) of it instead; an item that was done before never does.
    """

    sketch: bytes | None


class CrossReference(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The canonical keys that the article links to; related items are those kept under them, in both directions."""

    url_keys: tuple[str, ...]


class Index(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Write the full-text row of the item's document."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A feed entry to keep, under the key that says it was seen."""

    entry_key: str
    submission: Submission


class FeedPolled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A poll that worked: an entry not seen before becomes an item in the transaction that marks it as seen.

    When the backlog takes no more, the rest is left for another poll, soon.
    """

    feed_id: int
    title: str | None
    etag: str | None
    last_modified: str | None
    next_poll_at: int  # wall ms
    entries: tuple[Entry, ...]
    complete: bool = True  # set by the store: False when the backlog took only the first of the entries


Effect = (
    KeepCapture
    | SetVerdict
    | KeepDocument
    | KeepEnrichment
    | ClaimContent
    | NameKey
    | Resemble
    | CrossReference
    | Index
    | FeedPolled
)
