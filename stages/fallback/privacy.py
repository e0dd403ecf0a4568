"""Which addresses others may be told: not those that only mean something inside somebody's own network."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

# RFC 6761, 6762, 7686, 8375, 9476, and what home routers make up.
_INSIDE: Final = (
    "alt", "corp", "example", "home", "home.arpa", "internal", "intranet", "invalid", "lan", "local", "localdomain",
    "localhost", "onion", "private", "test",
)  # fmt: skip


def may_be_told(url: str) -> bool:
    """Whether a URL's host is a public name. No look-up is made: that would tell as well."""
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
