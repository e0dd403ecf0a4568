"""Who is asking: what the gate found out about the request in hand."""

from __future__ import annotations

import re
from typing import Literal, cast

import msgspec
from quart import g, request

from observability import trace
from pipeline.ids import Random

Scope = Literal["read", "write", "admin"]
RANK: dict[str, int] = {"read": 1, "write": 2, "admin": 3}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


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


def name_request(random: Random) -> None:
    """Give the request its id: the client's when it is a sane one, else a new one."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else random(8).hex()


def request_id() -> str:
    return cast(str, g.get("request_id", ""))


def new_trace(random: Random) -> dict[str, str]:
    """The trace context to carry with what this request submits: the client's, or one that begins here."""
    given = trace.parse(request.headers.get("traceparent"), correlation_id=request_id())
    return given or trace.new_trace(random, correlation_id=request_id())
