"""Who is asking: what the gate found out about the request in hand."""

from __future__ import annotations

from typing import Literal, cast

import msgspec
from quart import g

from gateway.seen import request_id, seen
from observability.carrier import new_trace
from pipeline.ids import Random

Scope = Literal["read", "write", "admin"]
RANK: dict[str, int] = {"read": 1, "write": 2, "admin": 3}


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """`via` is how they proved it; `key` is what their requests are counted under."""

    via: Literal["token", "session", "nothing"]
    key: str
    name: str = ""
    scope: str | None = None

    def may(self, scope: str) -> bool:
        return self.scope is not None and RANK[self.scope] >= RANK[scope]


def caller() -> Caller:
    return cast(Caller, g.get("caller", Caller(via="nothing", key="")))


def own_trace() -> dict[str, str]:
    """The trace context to carry with the one thing that this request submits."""
    return dict(seen().trace)


def trace_apart(random: Random) -> dict[str, str]:
    """The same for one of many things: each has a trace of its own, and all have the request's id."""
    return new_trace(random, correlation_id=request_id())
