"""What is told of claims: how lines and spans name them, and what came out of a step, for log, span and counters.

Mailboxes and the queue carry no context: a claim carries the span that led to it, which its next span has as link.
"""

from __future__ import annotations

import msgspec

from observability import metrics, trace
from observability.log import Logger
from observability.names import Attribute, Event, Span
from pipeline.lifecycle import State
from pipeline.work import Bury, Claim, Divert, Outcome, Retry


def item(claim: Claim) -> str | None:
    """The uid of the claim's item; None for a poll."""
    return None if claim.item is None else claim.item.uid


def subject(claim: Claim) -> dict[str, str]:
    """What every line about a claim names."""
    return {"feed_id" if claim.feed is not None else "item_id": claim.subject}


def entering(claim: Claim) -> trace.Attributes:
    """What is known when a stage begins with it."""
    return {
        Attribute.FEED: None if claim.feed is None else claim.feed.uid,
        Attribute.CORRELATION: claim.trace.get("correlation_id"),
        Attribute.STAGE: claim.stage,
        Attribute.ATTEMPT: claim.attempts + 1,
    }


def claimed(claim: Claim, seconds: float, now: int, log: Logger) -> Claim:
    """It was taken from the queue, which took so long, at `now` (wall ms). A poll's trace begins here.

    The queue is durable: what had put the item there may be long over, so it is a link and not only the parent.
    """
    waited = max(0, now - claim.entered_at) / 1000 if claim.entered_at else None
    with trace.about(claim.trace, **subject(claim)):
        log.debug(Event.ITEM_CLAIMED, stage=claim.stage, waited=waited)
    this = trace.ended(
        Span.CLAIM,
        seconds,
        {Attribute.ITEM: item(claim), Attribute.STAGE: claim.stage, Attribute.WAITED: waited},
        parent={**claim.trace, trace.LINK: claim.trace.get("traceparent", "")},
    ).get("traceparent")
    if this is None:
        return claim
    return msgspec.structs.replace(claim, trace={"traceparent": this, **claim.trace, trace.LINK: this})


def led_to(claim: Claim, span: trace.Live) -> Claim:
    """The claim on the next step, which is to name this one's span as what led to it."""
    this = span.carrier().get("traceparent")
    return claim if this is None else msgspec.structs.replace(claim, trace={**claim.trace, trace.LINK: this})


def tell(
    log: Logger, claim: Claim, outcome: Outcome, *, stage: str, state: State, span: trace.Live, seconds: float
) -> None:
    """What came out of a step that took so long, and in which state the row is now."""
    word = "duplicate" if state is State.DUPLICATE else type(outcome).__name__.lower()
    code, duration = _code(outcome), round(seconds, 4)
    match outcome:
        case Bury(reason=reason):
            event = Event.ITEM_STAYS if state is State.DONE else Event.ITEM_BURIED
            log.info(event, code=code, detail=reason.detail, duration=duration)
        case Retry(reason=reason, after=after, costs_attempt=costs):
            metrics.RETRIES.add(stage=stage, cost="attempt" if costs else "none")
            log.info(Event.ITEM_RETRIED, code=code, detail=reason.detail, after=after, duration=duration)
        case _:
            why = {"code": code} if code else {}
            log.info(Event.STAGE_FINISHED, outcome=word, state=state, duration=duration, **why)
    metrics.OUTCOMES.add(stage=stage, outcome=word, code=code)
    if claim.feed is not None:
        metrics.FEED_POLLS.add(outcome={"advance": "ok", "retry": "retry"}.get(word, "failed"))
    span.set({Attribute.OUTCOME: word, Attribute.CODE: code or None})
    if isinstance(outcome, Bury | Retry):
        span.fail(code)


def _code(outcome: Outcome) -> str:
    return outcome.reason.code if isinstance(outcome, Bury | Retry | Divert) else ""
