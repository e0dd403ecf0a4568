"""One outgoing request as it is seen: a span, how long it took, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import msgspec

from observability import metrics, trace
from observability.names import Attribute, Span
from pipeline.errors import AtlasError
from stages.net.headers import Headers


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one request brought; `content` is None for a redirect. `seconds` is what the host took."""

    status: int
    fields: Headers
    content: bytes | None
    retry_after: float | None
    http_version: str
    seconds: float


@contextmanager
def outgoing(url: str) -> Iterator[Callable[[Answer], Answer]]:
    """The time of one request, which began with its turn at the host. What the block gets is told the answer."""
    began, result = anyio.current_time(), "cancelled"
    with trace.span(Span.FETCH, {Attribute.URL: url}, kind="client") as span:

        def seen(answer: Answer) -> Answer:
            nonlocal result
            result = f"{answer.status // 100}xx"
            size = None if answer.content is None else len(answer.content)
            span.set({Attribute.HTTP_STATUS: answer.status, Attribute.BYTES: size})
            return answer

        try:
            yield seen
        except AtlasError as error:
            result = error.code
            span.set({Attribute.CODE: error.code})
            raise
        finally:
            metrics.FETCHES.add(result=result)
            metrics.FETCH_SECONDS.record(anyio.current_time() - began)
