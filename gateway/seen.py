"""What is known of the request in hand beside what it asks: its id, its trace, its route, the item it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, cast

from quart import has_request_context, request

from observability.trace import Live

KEY: Final = "atlas.seen"  # in the ASGI scope, whoever of the middlewares answers
NO_ROUTE: Final = "none"


@dataclass(kw_only=True)
class Seen:
    """Made by the outermost middleware, filled in by those inside."""

    request_id: str
    trace: dict[str, str]  # of this request's span: what it submits goes on in it
    span: Live
    endpoint: str = NO_ROUTE  # the route's pattern
    status: int = 0
    facts: dict[str, Any] = field(default_factory=dict)  # for the line that is logged at its end


def seen() -> Seen:
    """Of the request in hand."""
    scope = cast("dict[str, Any]", request.scope)
    return cast(Seen, scope[KEY])


def request_id() -> str:
    """ "" outside any request."""
    return seen().request_id if has_request_context() else ""
