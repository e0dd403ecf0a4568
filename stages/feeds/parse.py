"""Feeds of every format to entries: feedparser without its network, its sanitising or any document type."""

from __future__ import annotations

import calendar
import datetime as dt
import io
import json
import re
import time
from typing import Final

import feedparser

from pipeline.errors import ParseError, Unsupported
from stages.feeds.entries import ENTRIES_MAX, FeedEntry, ParsedFeed
from stages.text.charset import decode
from stages.text.pictures import absolute
from stages.text.plain import visible

SUMMARY_MAX: Final = 2000
TITLE_MAX: Final = 1000
KEY_MAX: Final = 2000
_ENTITY: Final = re.compile(r"<!ENTITY", re.IGNORECASE)
# Tags that are left open in sloppy feeds count, too, hence the room.
DEPTH_MAX: Final = 10_000
_TAG: Final = re.compile(r"<!\[CDATA\[(?:.*?\]\]>|.*)|<!--(?:.*?-->|.*)|<(/?)[A-Za-z_][^<>]{0,5000}>", re.DOTALL)
_JSON_FEED: Final = "https://jsonfeed.org/version/"


def parse_feed(content: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
    """Read a feed; relative addresses are resolved. Raises Unsupported when it is none, ParseError for hostile ones."""
    text, _ = decode(content, charset)
    text = text.replace("\x00", "")
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return _json_feed(text, url)
    root = text[_prolog(text) :]
    _check_depth(root)
    result = feedparser.parse(
        io.BytesIO(root.encode("utf-8", "replace")),
        response_headers={"content-type": "application/xml; charset=utf-8"},  # no location: it would resolve ids, too
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not result.get("version") and not result.entries:
        raise Unsupported("this is no feed", hint="give the address of an RSS, Atom or JSON feed")
    found = [_entry(entry, url) for entry in result.entries[:ENTRIES_MAX]]
    entries = tuple(entry for entry in found if entry)
    return ParsedFeed(
        title=_line(result.feed.get("title")),
        site=absolute(result.feed.get("link"), url),
        entries=entries,
        skipped=len(result.entries) - len(entries),
    )


def _prolog(text: str) -> int:
    """Where the root element begins: what stands before it never reaches a parser. Refuses any entity declaration."""
    at = 0
    while (start := text.find("<", at)) >= 0:
        if text.startswith("<?", start):
            end = text.find("?>", start) + 2
        elif text.startswith("<!--", start):
            end = text.find("-->", start + 4) + 3
        elif text.startswith("<!", start):
            end = _declaration(text, start)
        else:
            return start
        if end < start + 3:
            break
        at = end
    raise Unsupported("this is no feed: it has no root element")


def _declaration(text: str, start: int) -> int:
    """The end of a document type declaration. Entities are how small feeds become large ones, and reach for files."""
    close = text.find(">", start)
    subset = text.find("[", start)
    if close < 0:
        return -1
    if subset < 0 or subset > close:
        return close + 1
    end = text.find("]", subset)
    if end < 0 or _ENTITY.search(text, subset):
        raise ParseError("the feed declares entities: refused")
    return text.find(">", end) + 1


def _check_depth(root: str) -> None:
    """No feed is this deep, and feedparser took 11 s over 200,000 elements left open (`<a><b/>`) on a test machine."""
    depth = 0
    for tag in _TAG.finditer(root):
        depth += -1 if tag[1] == "/" else tag[1] is not None and not tag[0].endswith("/>")
        if depth > DEPTH_MAX:
            raise ParseError("the feed nests its elements too deep: refused")


def _entry(entry: feedparser.FeedParserDict, base: str) -> FeedEntry | None:
    said = entry.get("link") if entry.get("links") else None  # else feedparser makes a link of the id
    link = absolute(said, base) or _enclosed(entry, base) or absolute(entry.get("id"), "")
    if not link:
        return None
    date = entry.get("published_parsed") or entry.get("updated_parsed")
    return FeedEntry(
        entry_key=(entry.get("id") or link)[:KEY_MAX],
        url=link,
        title=_line(entry.get("title")),
        published=_date(date),
        summary=_summary(entry.get("summary")),
    )


def _enclosed(entry: feedparser.FeedParserDict, base: str) -> str | None:
    """The first enclosure, for podcasts whose entries have no page."""
    for enclosure in entry.get("enclosures", ())[:1]:
        return absolute(enclosure.get("href"), base)
    return None


def _date(parts: time.struct_time | None) -> str | None:
    if not parts:
        return None
    try:
        moment = dt.datetime.fromtimestamp(calendar.timegm(parts), dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat().replace("+00:00", "Z")


def _line(markup: object) -> str | None:
    """A title: its markup dropped, in one line."""
    if not isinstance(markup, str):
        return None
    return " ".join(visible(markup[: TITLE_MAX * 8]).split())[:TITLE_MAX] or None


def _summary(markup: object) -> str | None:
    if not isinstance(markup, str):
        return None
    return " ".join(visible(markup[: SUMMARY_MAX * 8]).split())[:SUMMARY_MAX] or None


def _json_feed(text: str, url: str) -> ParsedFeed:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unsupported(f"this is no feed: {error}") from error
    items = data.get("items")
    if not str(data.get("version", "")).startswith(_JSON_FEED) or not isinstance(items, list):
        raise Unsupported("this is JSON, but no JSON feed")
    found = [_json_entry(item, url) for item in items[:ENTRIES_MAX] if isinstance(item, dict)]
    entries = tuple(entry for entry in found if entry)
    return ParsedFeed(
        title=_line(data.get("title")),
        site=absolute(_string(data.get("home_page_url")), url),
        entries=entries,
        skipped=len(items) - len(entries),
    )


def _json_entry(item: dict[str, object], base: str) -> FeedEntry | None:
    link = absolute(_string(item.get("url")) or _string(item.get("external_url")), base)
    if not link:
        return None
    return FeedEntry(
        entry_key=str(item.get("id") or link)[:KEY_MAX],
        url=link,
        title=_line(item.get("title")),
        published=_string(item.get("date_published")),
        summary=_summary(item.get("summary") or item.get("content_text") or item.get("content_html")),
    )


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
