"""The static files, read once at start: a request never names a path on the disk."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import msgspec

TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    content: bytes
    content_type: str
    digest: str


@cache
def catalogue() -> dict[str, Asset]:
    folder = Path(__file__).with_name("static")
    return {file.name: _read(file) for file in sorted(folder.iterdir()) if file.suffix in TYPES}


def stamp(name: str) -> str:
    """The address of a static file, with its digest: it may be cached for ever, since new content has a new address."""
    return f"/static/{name}?v={catalogue()[name].digest}"


def _read(file: Path) -> Asset:
    content = file.read_bytes()
    return Asset(content=content, content_type=TYPES[file.suffix], digest=hashlib.sha256(content).hexdigest()[:12])
