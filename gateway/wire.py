"""What goes over the wire: request and response structs of API v1, separate from the pipeline's own values.

Items go by uid; the integer id never appears. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

import msgspec

from pipeline.lifecycle import Verdict
from pipeline.text.snippet import Segment


class NewItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/items: a page has a `url`; a note has a `text` and no url."""

    url: str | None = None
    title: str | None = None
    tags: tuple[str, ...] = ()
    text: str | None = None


class Flags(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PATCH /api/v1/items/{id}: what is left out stays as it is."""

    read: bool | None = None
    starred: bool | None = None
    archived: bool | None = None


class NewFeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/feeds"""

    url: str
    interval_seconds: int = 3600


class AcceptedOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: str  # accepted, existing
    created: bool
    requeued: bool
    undeleted: bool
    deferred: bool


class StageOut(msgspec.Struct, frozen=True, kw_only=True):
    code: int
    name: str


class ReasonOut(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    hint: str
    detail: str
    error_id: str | None


class ProvenanceOut(msgspec.Struct, frozen=True, kw_only=True):
    """Where the kept body came from."""

    provider: str
    url: str
    final_url: str
    status: int
    media_type: str
    size: int
    captured_at: str  # an archive's own date for what it had
    similarity: float | None  # of a copy to what was saved, 0 to 1; None where nothing was compared


class DocumentOut(msgspec.Struct, frozen=True, kw_only=True):
    """What extraction and enrichment made of the page; the text itself is under /content."""

    author: str | None
    site: str | None
    published: str | None
    language: str | None
    description: str | None
    summary: str | None
    phrases: tuple[str, ...]
    word_count: int | None
    reading_minutes: int | None
    method: str
    content_hash: str | None


class ItemOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    kind: str
    url: str | None
    title: str | None
    state: str
    stage: StageOut
    reason: ReasonOut | None
    age_seconds: float  # since stage or state last moved
    in_flight: bool
    due_at: str | None  # when a waiting item goes on
    verdict: Verdict | None
    attempts: int
    tags: tuple[str, ...]
    source: str
    duplicate_of: str | None
    created_at: str
    changed_at: str
    read_at: str | None
    starred_at: str | None
    archived_at: str | None


class RelatedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Another kept item: with almost the same text (`likeness`, 0 to 1), or joined by a link (null)."""

    id: str
    url: str | None
    title: str | None
    likeness: float | None


class ItemDetail(ItemOut, frozen=True, kw_only=True):
    provenance: ProvenanceOut | None
    document: DocumentOut | None
    related: tuple[RelatedOut, ...]


class RowOut(ItemOut, frozen=True, kw_only=True):
    site: str | None
    author: str | None
    published: str | None
    language: str | None
    word_count: int | None
    reading_minutes: int | None
    excerpt: str


class ItemList(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[RowOut, ...]
    cursor: str | None  # give it back as ?cursor= for the next page; null on the last


class StepOut(msgspec.Struct, frozen=True, kw_only=True):
    code: int
    name: str
    at: str
    method: str
    bytes: int | None
    duration_ms: float | None
    error: str | None
    detail: str


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    events: tuple[StepOut, ...]


class HitOut(msgspec.Struct, frozen=True, kw_only=True):
    item: RowOut
    score: float
    title: tuple[Segment, ...]
    snippet: tuple[Segment, ...]
    snippet_html: str  # escaped, hits in <mark>


class SearchOut(msgspec.Struct, frozen=True, kw_only=True):
    query: str
    total: int
    hits: tuple[HitOut, ...]
    cursor: str | None


class RetryMany(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/retry: either `ids`, or `where`, a selection such as `error:timeout site:example.com`.

    A selection that names no state is among dead and waiting items; kept ones are fetched again only by `state:done`.
    """

    ids: tuple[str, ...] | None = None
    where: str | None = None


class ReplayMany(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/replay: run again `from` validate, extract, enrich or finalise, from the archived bodies.

    A selection that names no state is among done and dead items.
    """

    start: str = msgspec.field(name="from")
    ids: tuple[str, ...] | None = None
    where: str | None = None


class DeedOut(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item: requeued, hastened, refreshed, replayed, or why it was left as it is."""

    id: str
    outcome: str


class RedoneOut(msgspec.Struct, frozen=True, kw_only=True):
    """How many of what was asked for are done again, and how many were left as they are, by why."""

    requeued: int  # dead: from the beginning, with all attempts
    hastened: int  # waiting: now
    refreshed: int  # done: fetched again, readable meanwhile
    replayed: int
    untouched: dict[str, int]  # in_flight, duplicate, deleted, unknown, no_body, no_text
    left: tuple[DeedOut, ...]  # the first 100 of those


class BreakerOut(msgspec.Struct, frozen=True, kw_only=True):
    """A host or a provider that has failed lately. Nothing is asked of it before `next_probe_at` while it is open."""

    name: str  # host:example.org, provider:wayback
    state: str  # closed, open, half_open
    failures: int  # in a row
    reason: str
    opened_at: str | None
    next_probe_at: str | None


class BreakerList(msgspec.Struct, frozen=True, kw_only=True):
    breakers: tuple[BreakerOut, ...]


class FeedOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    url: str
    title: str | None
    interval_seconds: int
    next_poll_at: str
    failures: int


class FeedList(msgspec.Struct, frozen=True, kw_only=True):
    feeds: tuple[FeedOut, ...]


class SpanOut(msgspec.Struct, frozen=True, kw_only=True):
    """One span of an item's traces, as a collector gets it."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    role: str
    kind: str
    start: str
    duration_ms: float
    error: str | None
    attributes: dict[str, str | bool | int | float]
    links: tuple[tuple[str, str], ...]  # trace and span ids of what led to it


class SpanList(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    spans: tuple[SpanOut, ...]


class MishapOut(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of unexpected error; place, item and request are of the last time."""

    id: str
    kind: str
    message: str
    place: str
    role: str
    count: int
    first_seen: str
    last_seen: str
    item: str | None
    request_id: str | None


class MishapDetail(MishapOut, frozen=True, kw_only=True):
    traceback: str


class MishapList(msgspec.Struct, frozen=True, kw_only=True):
    errors: tuple[MishapOut, ...]
