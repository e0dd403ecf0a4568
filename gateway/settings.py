"""Settings of the HTTP side."""

from __future__ import annotations

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]  # with 0 nobody would know which it is
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[api]"""

    host: str = "127.0.0.1"
    port: Port = 7444
    max_body_bytes: Positive = 1_048_576
    body_seconds: Seconds = 18.0  # a body that drips in longer than this is refused
    max_connections: Positive = 200  # requests in hand at once; more are answered 503
    requests_per_minute: Positive = 6000  # per token or session; without one, a tenth of it per address
    allowed_hosts: tuple[str, ...] = ()  # Host names beside the loopback ones and the bind address; others get 421
    trusted_proxies: tuple[str, ...] = ()  # addresses whose X-Forwarded-For and X-Forwarded-Proto are believed
    session_days: Annotated[int, msgspec.Meta(ge=1, le=400)] = 90  # a browser keeps no cookie for longer than 400

    @property
    def session_ms(self) -> int:
        """`session_days` for the store."""
        return self.session_days * 86_400_000
