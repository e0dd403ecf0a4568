"""Saving as it is seen: one span, one line and one count for each thing that is saved, whichever way it came in."""

from __future__ import annotations

import msgspec

from gateway.deps import Deps
from gateway.seen import request_id, seen
from observability import carrier, log, metrics, trace
from observability.names import Attribute, Event, Span
from pipeline.items import Accepted, Submission
from pipeline.store.intake import Idempotency

logger = log.get_logger()


async def accept(
    deps: Deps, wanted: Submission, *, idempotency: Idempotency | None = None, is_one_of_many: bool = False
) -> Accepted:
    """`store.items.accept`, which see: on the disk when it returns.

    The item goes on in the request's trace; one of many has a trace of its own that begins here, linked to the request.
    """
    asked = seen().trace
    parent = {trace.LINK: asked["traceparent"]} if is_one_of_many else asked
    with trace.span(Span.ACCEPT, parent=parent) as span:
        context = _begun_by(span, deps) if is_one_of_many else asked
        wanted = msgspec.structs.replace(wanted, trace=context)
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


def _begun_by(span: trace.Live, deps: Deps) -> dict[str, str]:
    """A trace that begins with this span, under the request's id."""
    own = span.carrier()
    if own:
        return own | {"correlation_id": request_id()}
    return carrier.new_trace(deps.random, correlation_id=request_id())
