"""Documents: what extraction and enrichment make of a captured body."""

from __future__ import annotations

import msgspec


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image of the article, by absolute URL; its bytes are fetched by the worker, never by a reader's browser."""

    url: str
    alt: str = ""


class Extracted(msgspec.Struct, frozen=True, kw_only=True):
    """The article of one page. `html` is sanitised and its links are absolute; `text` has one paragraph a line."""

    text: str
    markdown: str
    html: str
    title: str | None = None
    author: str | None = None
    site: str | None = None
    published: str | None = None  # ISO 8601, date or date and time
    language: str | None = None  # as the page declares it
    description: str | None = None
    canonical: str | None = None  # rel=canonical, absolute
    images: tuple[Image, ...] = ()
    links: tuple[str, ...] = ()  # absolute http(s) links of the article body, at most 500
    charset: str | None = None  # the one the body was decoded with
    method: str = ""  # what extracted it


class Enriched(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about the text itself."""

    language: str | None  # ISO 639-1, detected; the declared one when the text is too short to tell
    word_count: int  # CJK characters count one each
    reading_minutes: int  # at least 1
    summary: str  # up to three sentences of the text itself
    phrases: tuple[str, ...]  # key phrases, best first


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A stored document. Enrichment fields are None until it has run."""

    item_id: int
    title: str | None
    author: str | None
    site: str | None
    published: str | None
    language: str | None
    description: str | None
    text: str
    markdown: str
    html: str
    images: tuple[Image, ...]
    links: tuple[str, ...]
    word_count: int | None
    reading_minutes: int | None
    summary: str | None
    phrases: tuple[str, ...]
    method: str
    text_hash: str | None  # SHA-256 of the normalised text: what makes a duplicate
    content_hash: str | None  # SHA-256 of "url:content": tells later whether a page changed
    extracted_at: int
