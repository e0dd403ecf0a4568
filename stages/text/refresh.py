"""Redirects that a page makes itself: a tiny page whose only purpose is its meta refresh."""

from __future__ import annotations

import re
from html import unescape
from typing import Final
from urllib.parse import urljoin

TINY_BYTES: Final = 4096  # link shorteners' pages are a few hundred
SOON_SECONDS: Final = 5

_META: Final = re.compile(r"<meta\b[^<>]{0,1000}>", re.IGNORECASE)
_REFRESH: Final = re.compile(r"\bhttp-equiv\s*=\s*[\"']?refresh\b", re.IGNORECASE)
_CONTENT: Final = re.compile(r"\bcontent\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_TARGET: Final = re.compile(r"\s*(\d{1,3})(?:\.\d*)?\s*[;,]\s*url\s*=\s*[\"']?([^\"']+)", re.IGNORECASE)


def refresh_target(content: bytes, base: str) -> str | None:
    """Where a tiny page sends its reader within seconds, absolute; None when it does not. Any scheme: check it."""
    if len(content) > TINY_BYTES:
        return None
    for tag in _META.findall(content.decode("utf-8", "replace")):
        value = _CONTENT.search(tag) if _REFRESH.search(tag) else None
        target = _TARGET.match(unescape(next(filter(None, value.groups()), ""))) if value else None
        if target and int(target[1]) <= SOON_SECONDS:
            try:
                return urljoin(base, str(target[2]).strip())
            except ValueError:
                return None
    return None
