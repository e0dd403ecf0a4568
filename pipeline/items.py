"""Items: what a person keeps. Submissions: what came in. Captures: what a fetch brought back."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from pipeline.lifecycle import Priority, State, Verdict


class Kind(StrEnum):
    """What sort of thing an item is."""

    PAGE = "page"  # has a URL, is fetched
    NOTE = "note"  # a person's own text, never fetched; its url_key is NULL


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item is where it is: a stable code, what to do, the particulars, and the error id if one was stored."""

    code: str
    hint: str = ""
    detail: str = ""
    error_id: str | None = None


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to keep, checked and canonicalised: `url` as given, `url_key` canonical (both None for a note)."""

    url: str | None = None
    url_key: str | None = None
    kind: Kind = Kind.PAGE
    title: str | None = None
    text: str | None = None  # a note's text (Markdown); None for pages
    tags: tuple[str, ...] = ()
    priority: Priority = Priority.PERSON
    source: str = "api"  # api, ui, cli, feed:ID
    trace: dict[str, str] = {}


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a submission, true on disk when it is returned."""

    uid: str
    item_id: int
    created: bool  # False: it was there already (raised, requeued or undeleted)
    requeued: bool = False
    undeleted: bool = False
    deferred: bool = False  # stage 50: on disk, waiting for room in the queue


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `items`, as everyone but the store sees it. Times are wall milliseconds in UTC."""

    id: int
    uid: str
    kind: Kind
    url: str | None
    url_key: str | None
    title: str | None  # the document's, else what the person gave
    given_title: str | None
    stage: int
    state: State
    reason: Reason | None
    verdict: Verdict | None
    attempts: int
    priority: Priority
    source: str
    tags: tuple[str, ...]
    duplicate_of: str | None  # the original's uid
    created_at: int
    changed_at: int  # when stage or state last moved: now - changed_at is its age
    raised_at: int  # what the library sorts by
    read_at: int | None
    starred_at: int | None
    archived_at: int | None
    deleted_at: int | None
    due_at: int | None = None  # when a waiting item goes on


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """One body that a fetch brought back: a reference into archive.db and what the server said about it."""

    body: str  # SHA-256 hex of the decoded body, its key in archive.db
    size: int  # bytes, decoded
    url: str  # as asked
    final_url: str  # after redirects
    status: int
    media_type: str  # lower case, without parameters; "" when the server named none
    charset: str | None  # from the Content-Type header
    etag: str | None = None
    last_modified: str | None = None
    provider: str = "direct"
    captured_at: int = 0  # wall ms; for archives the archive's own date
    similarity: float | None = None  # of a copy found elsewhere to what was asked for, 0 to 1


def note_capture(uid: str, body: str, *, size: int, at: int) -> Capture:
    """What a note has in place of a fetch: its text, `size` bytes under the hash `body`, kept at `at` (wall ms)."""
    return Capture(
        body=body,
        size=size,
        url=f"note:{uid}",
        final_url=f"note:{uid}",
        status=200,
        media_type="text/markdown",
        charset="utf-8",
        provider="note",
        captured_at=at,
    )


class StepEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry on an item's timeline."""

    code: int  # the stage number reached
    at: int  # wall ms
    method: str = ""  # how: "direct", "trafilatura", ...
    bytes: int | None = None
    duration_ms: float | None = None
    error: str | None = None  # an error code
    detail: str = ""
