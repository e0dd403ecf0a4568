"""What kind of content a body is: what the server said, unless its beginning says otherwise."""

from __future__ import annotations

import re
from typing import Final

HEAD_BYTES: Final = 2048

_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_TEXT: Final = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
_XML: Final = frozenset({"application/xml", "text/xml"})
_UNTOLD: Final = frozenset({"", "application/octet-stream", "binary/octet-stream", "unknown/unknown", "*/*"})
READABLE: Final = _HTML | _TEXT

# WHATWG MIME Sniffing, section 6.2 and 7.1 (the types that a person meets).
_MAGIC: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"Rar!\x1a\x07", "application/x-rar-compressed"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"ID3", "audio/mpeg"),
    (b"OggS\x00", "application/ogg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"\x7fELF", "application/x-executable"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
)
_PAGE: Final = re.compile(rb"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
_MARKUP: Final = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|h1|div|table|a|style|title|b|br|p|main|article|meta|link)[\s/>]",
    re.IGNORECASE,
)
_PROLOGUE: Final = re.compile(rb"(?:\s+|<\?xml[^>]{0,200}\?>|<!--.{0,1000}?-->){0,20}", re.DOTALL)
_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_CONTROL: Final = bytes(sorted(set(range(0x20)) - {0x09, 0x0A, 0x0C, 0x0D, 0x1B}))


def effective_type(declared: str, content: bytes) -> str:
    """The media type to treat a body as. `declared` in lower case without parameters, "" when the server named none."""
    head = content[:HEAD_BYTES]
    magic = _magic(head)
    if magic:
        return magic
    if declared in _HTML:
        return declared if not _binary(head) else "application/octet-stream"
    begin = head.removeprefix(b"\xef\xbb\xbf")
    begin = begin[prologue.end() :] if (prologue := _PROLOGUE.match(begin)) else begin
    # A text may well begin with a tag, so what claims to be text is a page only when it begins as a whole page does.
    if (_MARKUP if declared in _UNTOLD else _PAGE).match(begin):
        return "text/html"
    if declared in _TEXT or declared in _UNTOLD:
        return "application/octet-stream" if _binary(head) else declared if declared in _TEXT else "text/plain"
    if declared in _XML and re.match(rb"<(?:rss|feed|rdf:RDF)[\s>]", begin, re.IGNORECASE):
        return "application/rss+xml"
    return declared


def _magic(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return "image/avif" if head[8:12] in (b"avif", b"avis") else "video/mp4"
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12], "video/x-msvideo")
    return next((media_type for start, media_type in _MAGIC if head.startswith(start)), None)


def _binary(head: bytes) -> bool:
    """Control bytes that stand in no text; UTF-16 says by its first two bytes that it may have them."""
    return not head.startswith(_WIDE_BOMS) and len(head.translate(None, _CONTROL)) < len(head)
