"""Spans: what a piece of work took, inside what, and caused by what. Costs next to nothing while no tracer is there.

Context variables carry the current span into tasks and threads that are started inside it, but not through a mailbox
or the queue: there a carrier goes along (observability.carrier), and the span on the other side names it as its link.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import structlog
from opentelemetry import trace as otel
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags, Tracer

from observability import carrier, redact
from observability.names import Attribute
from observability.spans import Scalar, SpanRecord

Carrier = Mapping[str, str]
Attributes = Mapping[Attribute, Scalar | None]

KINDS: Final = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
LINK: Final = "link"  # in a carrier: the span that led to what follows


# The item that work in this context is about: every span of it is kept for that item's timeline.
_ITEM: Final[ContextVar[str | None]] = ContextVar("item", default=None)


class _Here:
    """Where spans of this process go; None: nowhere."""

    tracer: Tracer | None = None
    take: Callable[[SpanRecord], None] = staticmethod(lambda _record: None)
    role: str = ""


def connect(
    tracer: Tracer | None, *, take: Callable[[SpanRecord], None] = lambda _record: None, role: str = ""
) -> None:
    """Send the spans of this process to `tracer`, or nowhere. The last call counts.

    Those that are over when they are told of go to `take` at once, as spans of `role`.
    """
    _Here.tracer, _Here.role = tracer, role
    _Here.take = staticmethod(take)


class Live:
    """A span that has begun."""

    __slots__ = ("_span",)

    def __init__(self, span: otel.Span) -> None:
        self._span = span

    def set(self, attributes: Attributes) -> None:
        """Add attributes; None values are left out, texts are cleaned of secrets."""
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(name.value, _clean(value))

    def fail(self, said: str) -> None:
        """It has failed, in these words."""
        self._span.set_status(StatusCode.ERROR, redact.text(said)[:500])

    def carrier(self) -> dict[str, str]:
        """Its context as a plain dict; empty when no tracer is there."""
        context = self._span.get_span_context()
        if not context.is_valid:
            return {}
        flags = f"{context.trace_flags & 1:02x}"
        return {"traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags}"}


_NOTHING: Final = Live(otel.INVALID_SPAN)


@contextmanager
def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    parent: Carrier | None = None,
    kind: str = "internal",
) -> Iterator[Live]:
    """A span for the time of the block, inside the current one or, with `parent`, inside that of a carrier.

    A carrier with a link (`LINK`) gives it to the span. An error that the block raises marks the span as
    failed; to be cancelled is no failure.
    """
    tracer = _Here.tracer
    if tracer is None:
        yield _NOTHING
        return
    context = None if parent is None else otel.set_span_in_context(otel.NonRecordingSpan(_context(parent)))
    links = () if parent is None else _links(parent)
    begun = tracer.start_span(str(name), context, KINDS[kind], _cleaned(attributes), links)
    with otel.use_span(begun, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield Live(begun)
        except Exception as error:
            begun.set_status(StatusCode.ERROR, redact.error(error, most=500))
            raise


def ended(
    name: str, seconds: float, attributes: Attributes | None = None, *, parent: Carrier | None = None
) -> dict[str, str]:
    """A span that is over now and took so long. Its carrier, empty without a tracer."""
    tracer = _Here.tracer
    if tracer is None:
        return {}
    end = time.time_ns()
    start = end - round(seconds * 1e9)
    inside = otel.get_current_span().get_span_context() if parent is None else _context(parent)
    if not inside.is_valid:  # a trace begins here: whether it is taken is the sampler's to say
        context = otel.set_span_in_context(otel.INVALID_SPAN)
        begun = tracer.start_span(str(name), context, attributes=_cleaned(attributes), start_time=start)
        if attributes and (code := attributes.get(Attribute.CODE)):
            begun.set_status(StatusCode.ERROR, str(code))
        begun.end(end)
        return Live(begun).carrier()
    span_id = f"{random.getrandbits(64) or 1:016x}"
    if inside.trace_flags.sampled:
        links = () if parent is None else _links(parent)
        _Here.take(_over(str(name), (start, end), _cleaned(attributes), (inside, span_id), links))
    return {"traceparent": f"00-{inside.trace_id:032x}-{span_id}-{inside.trace_flags & 1:02x}"}


def _over(
    name: str,
    times: tuple[int, int],
    attributes: dict[str, Scalar],
    place: tuple[SpanContext, str],
    links: Sequence[otel.Link],
) -> SpanRecord:
    """Made without the SDK, which takes three times as long, and there are many of them: every step is one."""
    code, item = attributes.get(Attribute.CODE.value), attributes.get(Attribute.ITEM.value)
    inside, span_id = place
    return SpanRecord(
        trace_id=f"{inside.trace_id:032x}",
        span_id=span_id,
        parent_id=f"{inside.span_id:016x}",
        name=name,
        role=_Here.role,
        start=times[0],
        end=times[1],
        error=None if code is None else str(code),
        attributes=attributes,
        links=tuple((f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in links),
        item=item if isinstance(item, str) else None,
    )


def current() -> Live:
    """The span that is current here; one that does nothing when there is none."""
    return Live(otel.get_current_span())


def ids() -> tuple[str, str] | None:
    """Trace id and span id of the current span, as hex."""
    context = otel.get_current_span().get_span_context()
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


@contextmanager
def about(said: Carrier, **subject: str) -> Iterator[None]:
    """Name what the block is about: every line logged in it carries `subject` and the ids of the carrier.

    With an `item_id`, every span that begins in it is that item's.
    """
    known = {"correlation_id": said.get("correlation_id"), "trace_id": carrier.trace_id(said)}
    fields = {name: value for name, value in known.items() if value} | subject
    before = _ITEM.set(subject.get("item_id"))
    try:
        with structlog.contextvars.bound_contextvars(**fields):
            yield
    finally:
        _ITEM.reset(before)


def _context(parent: Carrier) -> SpanContext:
    parsed = carrier.parse(parent.get("traceparent"))
    if parsed is None:
        return otel.INVALID_SPAN_CONTEXT
    _version, trace_id, span_id, flags = parsed["traceparent"].split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def _links(parent: Carrier) -> Sequence[otel.Link]:
    context = _context({"traceparent": parent.get(LINK, "")})
    return (otel.Link(context),) if context.is_valid else ()


def _cleaned(attributes: Attributes | None) -> dict[str, Scalar]:
    found = {name.value: _clean(value) for name, value in (attributes or {}).items() if value is not None}
    if (item := _ITEM.get()) is not None:
        found.setdefault(Attribute.ITEM.value, item)
    return found


def _clean(value: Scalar) -> Scalar:
    if not isinstance(value, str) or value.isalnum():  # ids and words hide nothing
        return value
    return redact.text(value)[:2000]
