"""The normalised text: what two copies of one article have in common, whatever page they stood on.

NFKC (full-width forms, ligatures), case folded, every run of white space one space, invisible characters gone.
Punctuation stays: texts that differ in it differ. A change here makes old hashes meet no new ones, nothing worse.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

# Soft hyphen, zero-width characters, joiners, byte order mark, directional marks: copied or lost at will.
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def normalised(text: str) -> str:
    """Idempotent; empty only when `text` has nothing visible."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_INVISIBLE.sub("", folded).split())


def text_hash(text: str) -> str:
    """SHA-256 (hex) of the normalised text: equal hashes are duplicates."""
    return hashlib.sha256(normalised(text).encode("utf-8", "surrogatepass")).hexdigest()


def content_hash(url: str, text: str) -> str:
    """SHA-256 (hex) of "url:content": tells later whether this page changed."""
    return hashlib.sha256(f"{url}:{text}".encode("utf-8", "surrogatepass")).hexdigest()
