"""The pipeline's values in the shape that goes over the wire."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from markupsafe import escape

from gateway import wire
from observability.spans import SpanRecord
from pipeline.breaker import Breaker
from pipeline.documents import Document
from pipeline.items import Accepted, Capture, Item, Reason, StepEntry
from pipeline.lifecycle import IN_FLIGHT, Stage, State
from pipeline.store.mishaps import Mishap
from pipeline.store.redo import TOUCHED, Deed
from pipeline.store.related import Related
from pipeline.store.retries import Redone
from pipeline.store.rows import ItemRow
from pipeline.store.search import Hit
from pipeline.text.snippet import Segment
from pipeline.work import Feed


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _when(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def stage_name(code: int) -> str:
    """The name of a stage number; a number that this release does not know shows as itself."""
    try:
        return Stage(code).name.lower()
    except ValueError:
        return str(code)


def accepted(answer: Accepted) -> wire.AcceptedOut:
    return wire.AcceptedOut(
        id=answer.uid,
        status="accepted" if answer.created else "existing",
        created=answer.created,
        requeued=answer.requeued,
        undeleted=answer.undeleted,
        deferred=answer.deferred,
    )


def _common(item: Item, now: int) -> dict[str, object]:
    return {
        "id": item.uid,
        "kind": item.kind.value,
        "url": item.url,
        "title": item.title,
        "state": item.state.value,
        "stage": wire.StageOut(code=item.stage, name=stage_name(item.stage)),
        "reason": _reason(item.reason),
        "age_seconds": max(0, now - item.changed_at) / 1000,
        "in_flight": State(item.state) in IN_FLIGHT,
        "due_at": _when(item.due_at),
        "verdict": item.verdict,
        "attempts": item.attempts,
        "tags": item.tags,
        "source": item.source,
        "duplicate_of": item.duplicate_of,
        "created_at": iso(item.created_at),
        "changed_at": iso(item.changed_at),
        "read_at": _when(item.read_at),
        "starred_at": _when(item.starred_at),
        "archived_at": _when(item.archived_at),
    }


def _reason(reason: Reason | None) -> wire.ReasonOut | None:
    if reason is None:
        return None
    return wire.ReasonOut(code=reason.code, hint=reason.hint, detail=reason.detail, error_id=reason.error_id)


def detail(
    item: Item, document: Document | None, capture: Capture | None, related: tuple[Related, ...], now: int
) -> wire.ItemDetail:
    provenance = capture and wire.ProvenanceOut(
        provider=capture.provider,
        url=capture.url,
        final_url=capture.final_url,
        status=capture.status,
        media_type=capture.media_type,
        size=capture.size,
        captured_at=iso(capture.captured_at),
        similarity=capture.similarity,
    )
    fields = document and wire.DocumentOut(
        **{name: getattr(document, name) for name in wire.DocumentOut.__struct_fields__},
    )
    return msgspec.convert(
        _common(item, now) | {"provenance": provenance, "document": fields, "related": tuple(map(_related, related))},
        wire.ItemDetail,
    )


def _related(found: Related) -> wire.RelatedOut:
    other = found.item
    return wire.RelatedOut(id=other.uid, url=other.url, title=other.title, likeness=found.likeness)


def row(found: ItemRow, now: int) -> wire.RowOut:
    values = _common(found.item, now) | {
        "site": found.site,
        "author": found.author,
        "published": found.published,
        "language": found.language,
        "word_count": found.word_count,
        "reading_minutes": found.reading_minutes,
        "excerpt": found.excerpt,
    }
    return msgspec.convert(values, wire.RowOut)


def step(entry: StepEntry) -> wire.StepOut:
    return wire.StepOut(
        code=entry.code,
        name=stage_name(entry.code),
        at=iso(entry.at),
        method=entry.method,
        bytes=entry.bytes,
        duration_ms=entry.duration_ms,
        error=entry.error,
        detail=entry.detail,
    )


def hit(found: Hit, now: int) -> wire.HitOut:
    return wire.HitOut(
        item=row(found.row, now),
        score=found.score,
        title=found.title,
        snippet=found.snippet,
        snippet_html=marked(found.snippet),
    )


def marked(segments: tuple[Segment, ...]) -> str:
    """Segments as safe HTML: everything escaped, hits in <mark>."""
    return "".join(f"<mark>{escape(part.text)}</mark>" if part.marked else str(escape(part.text)) for part in segments)


def redone(found: Redone) -> wire.RedoneOut:
    count = found.counts.get
    return wire.RedoneOut(
        requeued=count(Deed.REQUEUED, 0),
        hastened=count(Deed.HASTENED, 0),
        refreshed=count(Deed.REFRESHED, 0),
        replayed=count(Deed.REPLAYED, 0),
        untouched={deed.value: n for deed, n in found.counts.items() if deed not in TOUCHED},
        left=tuple(wire.DeedOut(id=each.uid, outcome=each.deed.value) for each in found.left),
    )


def breaker(found: Breaker) -> wire.BreakerOut:
    return wire.BreakerOut(
        name=found.name,
        state=found.state.value,
        failures=found.failures,
        reason=found.reason,
        opened_at=_when(found.opened_at),
        next_probe_at=_when(found.probe_at),
    )


def feed(found: Feed) -> wire.FeedOut:
    return wire.FeedOut(
        id=found.uid,
        url=found.url,
        title=found.title,
        interval_seconds=found.interval_seconds,
        next_poll_at=iso(found.next_poll_at),
        failures=found.failures,
    )


def span(found: SpanRecord) -> wire.SpanOut:
    return wire.SpanOut(
        trace_id=found.trace_id,
        span_id=found.span_id,
        parent_id=found.parent_id,
        name=found.name,
        role=found.role,
        kind=found.kind,
        start=datetime.fromtimestamp(found.start / 1e9, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        duration_ms=(found.end - found.start) / 1e6,
        error=found.error,
        attributes=found.attributes,
        links=found.links,
    )


def mishap(found: Mishap) -> wire.MishapOut:
    return wire.MishapOut(**_of_mishap(found))  # type: ignore[arg-type]


def mishap_detail(found: Mishap) -> wire.MishapDetail:
    return wire.MishapDetail(**_of_mishap(found), traceback=found.traceback)  # type: ignore[arg-type]


def _of_mishap(found: Mishap) -> dict[str, object]:
    return {
        "id": found.id,
        "kind": found.kind,
        "message": found.message,
        "place": found.place,
        "role": found.role,
        "count": found.count,
        "first_seen": iso(found.first_seen),
        "last_seen": iso(found.last_seen),
        "item": found.item,
        "request_id": found.correlation_id,
    }
