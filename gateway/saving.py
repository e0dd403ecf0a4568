"""Saving as it is seen: one span, one line and one count for each thing that is saved, whichever way it came in."""

from __future__ import annotations

from gateway.deps import Deps
from observability import log, metrics, trace
from observability.names import Attribute, Event, Span
from pipeline.items import Accepted, Submission
from pipeline.store.intake import Idempotency

logger = log.get_logger()


async def accept(deps: Deps, wanted: Submission, *, idempotency: Idempotency | None = None) -> Accepted:
    """`store.items.accept`, which see: on the disk when it returns."""
    with trace.about(wanted.trace), trace.span(Span.ACCEPT, parent=wanted.trace) as span:
        accepted = await deps.store.items.accept(wanted, idempotency=idempotency)
        result = "created" if accepted.created else "requeued" if accepted.requeued else "existing"
        span.set({Attribute.ITEM: accepted.uid, Attribute.OUTCOME: result})
        metrics.SAVES.add(source=wanted.source, result=result)
        logger.info(
            Event.ITEM_ACCEPTED,
            item_id=accepted.uid,
            source=wanted.source,
            result=result,
            deferred=accepted.deferred,
        )
    return accepted
