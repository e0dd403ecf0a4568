"""Spans: what a piece of work took, inside what, and caused by what. Costs next to nothing while nobody takes them.

A context variable carries the current span into tasks and threads that are started inside it, but not through a mailbox
or the queue: there a carrier goes along (observability.carrier), and the span on the other side names it as its link.

Spans are made here and not by OpenTelemetry's SDK, which takes three times as long for each: a page has some thirty,
and they were a twelfth of the worker's time. What they mean, how they are sampled and sent is OpenTelemetry's.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import structlog

from observability import carrier, redact
from observability.names import Attribute
from observability.spans import Scalar, SpanRecord

Carrier = Mapping[str, str]
Attributes = Mapping[Attribute, Scalar | None]
Place = tuple[str, str | None, bool]  # trace id, span id of the parent, whether the trace is taken

LINK: Final = "link"  # in a carrier: the span that led to what follows
_ITEM_NAME: Final = Attribute.ITEM.value
_CODE_NAME: Final = Attribute.CODE.value

# The item that work in this context is about: every span of it is kept for that item's timeline.
_ITEM: Final[ContextVar[str | None]] = ContextVar("item", default=None)


def _forget(_record: SpanRecord) -> None:
    """Where spans go when nobody takes them."""


class _Here:
    """Where spans of this process go. `sample` says whether a trace that begins here is taken; None: no spans."""

    sample: Callable[[str], bool] | None = None
    take: Callable[[SpanRecord], None] = staticmethod(_forget)
    role: str = ""


def connect(
    sample: Callable[[str], bool] | None, *, take: Callable[[SpanRecord], None] = _forget, role: str = ""
) -> None:
    """Give the spans of this process to `take`, as spans of `role`; without `sample` there are none.

    The last call counts. `sample` is asked with the trace id of a trace that begins here; of others the caller has
    decided.
    """
    _Here.sample = None if sample is None else staticmethod(sample)
    _Here.take, _Here.role = staticmethod(take), role


class Live:
    """A span that has begun."""

    __slots__ = ("_attributes", "_began", "_error", "_kind", "_links", "_name", "_place", "_span_id", "_start")

    def __init__(
        self, name: str, kind: str, place: Place, attributes: dict[str, Scalar], links: tuple[tuple[str, str], ...]
    ) -> None:
        self._name = name
        self._kind = kind
        self._place = place
        self._attributes = attributes
        self._links = links
        self._error: str | None = None
        self._span_id = _new_span_id()
        self._start, self._began = time.time_ns(), time.monotonic_ns()

    def set(self, attributes: Attributes) -> None:
        """Add attributes; None values are left out, texts are cleaned of secrets."""
        for name, value in attributes.items():
            if value is not None:
                self._attributes[name.value] = _clean(value)

    def fail(self, said: str) -> None:
        """It has failed, in these words."""
        self._error = redact.text(said)[:500] or "error"

    @property
    def place(self) -> Place:
        """What a span inside it needs to know."""
        return self._place[0], self._span_id, self._place[2]

    def carrier(self) -> dict[str, str]:
        """Its context as a plain dict; empty where there are no spans."""
        return {"traceparent": f"00-{self._place[0]}-{self._span_id}-{'01' if self._place[2] else '00'}"}

    def ids(self) -> tuple[str, str] | None:
        """Trace id and span id; None where there are no spans."""
        return self._place[0], self._span_id

    def end(self) -> None:
        """It is over; measured on the monotonic clock, because the other one may be set back meanwhile."""
        if self._place[2]:
            end = self._start + time.monotonic_ns() - self._began
            _Here.take(_record(self._name, self._kind, (self._start, end), self._place, self._span_id, self._attributes,
                               self._links, self._error))  # fmt: skip


class _Nothing(Live):
    """Where there are no spans."""

    __slots__ = ()

    def __init__(self) -> None:
        """It has nothing."""

    def set(self, attributes: Attributes) -> None:
        pass

    def fail(self, said: str) -> None:
        pass

    def carrier(self) -> dict[str, str]:
        return {}

    def ids(self) -> tuple[str, str] | None:
        return None

    def end(self) -> None:
        pass


_NOTHING: Final = _Nothing()
_CURRENT: Final[ContextVar[Live | None]] = ContextVar("span", default=None)


@contextmanager
def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    parent: Carrier | None = None,
    kind: str = "internal",
) -> Iterator[Live]:
    """A span for the time of the block, inside the current one or, with `parent`, inside that of a carrier.

    A carrier with a link (`LINK`) gives it to the span; one that names no span begins a trace. An error that the block
    raises marks the span as failed; to be cancelled is no failure.
    """
    if _Here.sample is None:
        yield _NOTHING
        return
    live = Live(str(name), kind, _place(parent, _Here.sample), _cleaned(attributes), _links(parent))
    before = _CURRENT.set(live)
    try:
        yield live
    except Exception as error:
        live.fail(redact.error(error, most=500))
        raise
    finally:
        _CURRENT.reset(before)
        live.end()


def ended(
    name: str, seconds: float, attributes: Attributes | None = None, *, parent: Carrier | None = None
) -> dict[str, str]:
    """A span that is over now and took so long; with a code it has failed. Its carrier, empty where there are none."""
    if _Here.sample is None:
        return {}
    place, span_id, end = _place(parent, _Here.sample), _new_span_id(), time.time_ns()
    if place[2]:
        found = _cleaned(attributes)
        code = found.get(_CODE_NAME)
        times = (end - round(max(0.0, seconds) * 1e9), end)
        error = None if code is None else str(code)
        _Here.take(_record(str(name), "internal", times, place, span_id, found, _links(parent), error))
    return {"traceparent": f"00-{place[0]}-{span_id}-{'01' if place[2] else '00'}"}


def current() -> Live:
    """The span that is current here; one that does nothing when there is none."""
    return _CURRENT.get() or _NOTHING


def ids() -> tuple[str, str] | None:
    """Trace id and span id of the current span, as hex."""
    return current().ids()


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


def _place(parent: Carrier | None, sample: Callable[[str], bool]) -> Place:
    """Inside the current span or the carrier's; else a trace begins."""
    if parent is None:
        inside = _CURRENT.get()
        if inside is not None:
            return inside.place
    elif (found := carrier.parts(parent.get("traceparent"))) is not None:
        return found[0], found[1], bool(int(found[2], 16) & 1)
    trace_id = f"{random.getrandbits(128) or 1:032x}"
    return trace_id, None, sample(trace_id)


def _links(parent: Carrier | None) -> tuple[tuple[str, str], ...]:
    found = None if parent is None else carrier.parts(parent.get(LINK))
    return () if found is None else ((found[0], found[1]),)


def _new_span_id() -> str:
    return f"{random.getrandbits(64) or 1:016x}"


def _record(  # noqa: PLR0917 - the two that make one are below and above
    name: str,
    kind: str,
    times: tuple[int, int],
    place: Place,
    span_id: str,
    attributes: dict[str, Scalar],
    links: tuple[tuple[str, str], ...],
    error: str | None,
) -> SpanRecord:
    item = attributes.get(_ITEM_NAME)
    return SpanRecord(
        trace_id=place[0],
        span_id=span_id,
        parent_id=place[1],
        name=name,
        role=_Here.role,
        kind=kind,
        start=times[0],
        end=times[1],
        error=error,
        attributes=attributes,
        links=links,
        item=item if isinstance(item, str) else None,
    )


def _cleaned(attributes: Attributes | None) -> dict[str, Scalar]:
    found = {name.value: _clean(value) for name, value in (attributes or {}).items() if value is not None}
    if (item := _ITEM.get()) is not None:
        found.setdefault(_ITEM_NAME, item)
    return found


def _clean(value: Scalar) -> Scalar:
    if not isinstance(value, str) or value.isalnum():  # ids and words hide nothing
        return value
    return redact.text(value)[:2000]
