"""One line of the route table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from quart import Response

View = Callable[..., Awaitable[Response]]  # (deps, **path arguments)


class Route(msgspec.Struct, frozen=True):
    """`scope` is what the caller must hold; None is open to everyone."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    view: View
    scope: Literal["read", "write", "admin"] | None
    is_open_here: bool = False  # a program on this machine needs no token

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_page(self) -> bool:
        return not self.path.startswith(("/api/", "/metrics"))
