"""Who is asking: what the gate found out about the request in hand."""

from __future__ import annotations

from typing import Literal, cast

import msgspec
from quart import g

from gateway.seen import seen

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
    """The trace context to carry with what this request asks to be done again."""
    return dict(seen().trace)
