"""Which addresses others may be told: not those that only mean something inside somebody's own network, nor those that
let in whoever has them."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from observability import redact

# RFC 6761, 6762, 7686, 8375, 9476, and what home routers make up.
_INSIDE: Final = (
    "alt", "corp", "example", "home", "home.arpa", "internal", "intranet", "invalid", "lan", "local", "localdomain",
    "localhost", "onion", "private", "test",
)  # fmt: skip


def may_be_told(url: str) -> bool:
    """Whether a URL names a public host and holds no secret. No look-up is made: that would tell as well."""
    if redact.text(url) != url:  # ?token=…
        return False
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    if parts.username is not None or "." not in host or _is_literal(host):
        return False
    return not any(host.endswith(f".{inside}") for inside in _INSIDE)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rpartition(".")[2].isdigit()  # 127.1 and other spellings of addresses
    return True
