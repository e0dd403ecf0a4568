"""/api/v1/items/{id}/content: the article as text, Markdown or HTML, and the body as it was fetched.

Whatever came from outside is sandboxed, never sniffed, and downloaded instead of opened unless it is a picture.
"""

from __future__ import annotations

import re
from enum import StrEnum

from markupsafe import escape
from quart import Response

from gateway.api.items import known
from gateway.article import safe_html
from gateway.deps import Deps
from gateway.query import Query
from gateway.security.headers import STORED_POLICY
from pipeline.documents import Document
from pipeline.errors import NotFound
from pipeline.items import Capture

SHOWN_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})  # SVG can carry script
EXTENSIONS = {"text/html": "html", "application/xhtml+xml": "html", "application/pdf": "pdf", "text/plain": "txt"}
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,40}")


class Format(StrEnum):
    TXT = "txt"
    MD = "md"
    HTML = "html"
    ORIGINAL = "original"


async def content(deps: Deps, uid: str) -> Response:
    query = Query("format")
    wanted = query.choice("format", Format) or Format.TXT
    query.done()
    item = await deps.store.items.get(known(uid))
    if wanted is Format.ORIGINAL:
        return await _original(deps, item.uid)
    document = await deps.store.items.document(item.uid)
    match wanted:
        case Format.TXT:
            return _stored(document.text.encode(), "text/plain; charset=utf-8")
        case Format.MD:
            return _stored(document.markdown.encode(), "text/markdown; charset=utf-8")
        case Format.HTML:
            return _stored(_standalone(document, item.title).encode(), "text/html; charset=utf-8")


async def original(deps: Deps, uid: str) -> Response:
    """The same for a person, behind the reader's link."""
    item = await deps.store.items.get(known(uid))
    return await _original(deps, item.uid)


async def _original(deps: Deps, uid: str) -> Response:
    capture = await deps.store.items.capture(uid)
    if capture is None:
        raise NotFound("Nothing was fetched for this item.", hint="See its timeline.")
    response = _stored(await deps.store.bodies.get(capture.body), _content_type(capture))
    if capture.media_type not in SHOWN_IMAGES:
        extension = EXTENSIONS.get(capture.media_type, "bin")
        response.headers["Content-Disposition"] = f'attachment; filename="atlas-{uid}.{extension}"'
    return response


def _content_type(capture: Capture) -> str:
    """As the server named it, when it is well formed: it came from outside, and headers are no place for surprises."""
    if not _MEDIA_TYPE.fullmatch(capture.media_type):
        return "application/octet-stream"
    if capture.charset and _CHARSET.fullmatch(capture.charset):
        return f"{capture.media_type}; charset={capture.charset}"
    return capture.media_type


def _stored(body: bytes, content_type: str) -> Response:
    response = Response(body, content_type=content_type)
    response.headers["Content-Security-Policy"] = STORED_POLICY
    return response


def _standalone(document: Document, title: str | None) -> str:
    language = f' lang="{escape(document.language)}"' if document.language else ""
    return (
        f'<!doctype html>\n<html{language} dir="auto"><head><meta charset="utf-8">'
        f"<title>{escape(title or document.title or 'Untitled')}</title></head>\n"
        f"<body>{safe_html(document.html)}</body></html>\n"
    )
