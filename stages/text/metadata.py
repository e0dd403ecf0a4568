"""What a page says of itself: JSON-LD first, then OpenGraph and its kin, then the elements a reader would look at."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urljoin

import msgspec
from htmldate import find_date
from lxml.etree import LxmlError
from lxml.html import HtmlElement

from stages.text.headline import headline
from stages.text.linked import Linked, linked

METAS_MAX: Final = 500
CONTENT_MAX: Final = 2000
SEARCH_CHARS_MAX: Final = 600_000  # no date search in larger pages: it is the dear part, and grows with the page
_TITLES: Final = ("dc:title", "dcterm:title", "og:title", "weibo:article:title", "weibo:webpage:title", "title",
                  "twitter:title", "parsely-title")  # fmt: skip
_AUTHORS: Final = ("dc:creator", "dcterm:creator", "author", "parsely-author", "article:author", "sailthru.author",
                   "byl", "twitter:creator")  # fmt: skip
_DESCRIPTIONS: Final = ("dc:description", "dcterm:description", "og:description", "weibo:article:description",
                        "weibo:webpage:description", "description", "twitter:description")  # fmt: skip
_SITES: Final = ("og:site_name", "application-name", "dc:publisher", "publisher")
_DATES: Final = (
    "article:published_time", "og:article:published_time", "parsely-pub-date", "dc:date", "dcterms:created",
    "dc:date.issued", "dcterms:date", "sailthru.date", "date", "pubdate", "publishdate", "publication_date",
    "datepublished", "article.published", "citation_publication_date",
)  # fmt: skip
_LANGUAGE: Final = re.compile(r"^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}$")
_ISO: Final = re.compile(
    r"^(\d{4})-?(\d{2})-?(\d{2})(?:[T ](\d{2}:?\d{2}(?::?\d{2})?(?:\.\d+)?)\s*(Z|[+-]\d{2}:?\d{2})?)?"
)
_BYLINE: Final = (".//*[@rel='author']", ".//*[@itemprop='author']//*[@itemprop='name']", ".//*[@itemprop='author']")


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; None where the page says nothing."""

    title: str | None
    author: str | None
    site: str | None
    published: str | None
    language: str | None
    description: str | None
    canonical: str | None
    right_to_left: bool  # whether the page says that it is written from right to left
    base: str  # what relative addresses are relative to


def metadata(tree: HtmlElement, *, url: str, today: str, chars: int) -> Metadata:
    """Read the page's metadata. `today` (ISO date) bounds the date search, `chars` is the size of the page."""
    metas = _metas(tree)
    article = linked(script.text or "" for script in tree.iterfind(".//script[@type='application/ld+json']"))
    base = base_of(tree, url)
    return Metadata(
        title=article.title or _first(metas, _TITLES) or title_of(tree),
        author=_author(article, metas, tree),
        site=_first(metas, _SITES) or article.site,
        published=_published(article, metas, tree, today, chars),
        language=_language(article, metas, tree),
        description=_first(metas, _DESCRIPTIONS) or article.description,
        canonical=canonical_of(tree, base),
        right_to_left=any((element.get("dir") or "").lower() == "rtl" for element in tree.iter("html", "body")),
        base=base,
    )


def title_of(tree: HtmlElement) -> str | None:
    """The title without the help of metadata."""
    element = tree.find(".//head/title")
    if element is None:
        element = tree.find(".//title")
    first = headings(tree, ("h1",))
    return headline(line_of(element), headings(tree, ("h1", "h2")), first)


def headings(tree: HtmlElement, tags: tuple[str, ...], most: int = 20) -> tuple[str, ...]:
    """The texts of the first headings of these ranks, in page order."""
    found: list[str] = []
    for element in tree.iter(*tags):
        if text := line_of(element):
            found.append(text)
        if len(found) >= most:
            break
    return tuple(found)


def line_of(element: HtmlElement | None, most: int = CONTENT_MAX) -> str:
    """The text of an element in one line."""
    if element is None:
        return ""
    return " ".join("".join(str(piece) for piece in element.itertext())[: most * 4].split())[:most]


def base_of(tree: HtmlElement, url: str) -> str:
    element = tree.find(".//base[@href]")
    return url if element is None else _joined(url, element.get("href", "")) or url


def canonical_of(tree: HtmlElement, base: str) -> str | None:
    for element in tree.iterfind(".//link[@rel][@href]"):
        if "canonical" in element.get("rel", "").lower().split():
            return _joined(base, element.get("href", ""))
    return None


def _joined(base: str, href: str) -> str | None:
    """An absolute http(s) address, or None."""
    try:
        address = urljoin(base, href.strip())
    except ValueError:
        return None
    return address if address.startswith(("http://", "https://")) and len(address) <= CONTENT_MAX else None


def _metas(tree: HtmlElement) -> dict[str, str]:
    """Content by name, property (several to an attribute are allowed) and itemprop; properties win, then the first."""
    named: dict[str, str] = {}
    properties: dict[str, str] = {}
    for count, element in enumerate(tree.iter("meta")):
        content = " ".join(html.unescape(element.get("content") or "")[:CONTENT_MAX].split())
        if count >= METAS_MAX or not content:
            continue
        for name in (element.get("property") or "").lower().split():
            properties.setdefault(_colon(name), content)
        for name in (element.get("name") or element.get("itemprop") or "").lower().split():
            named.setdefault(_colon(name), content)
    return named | properties


def _colon(name: str) -> str:
    """Dublin Core and OpenGraph names come with a dot or a colon."""
    return name.replace(".", ":", 1) if name.startswith(("dc.", "dcterm.", "dcterms.", "og.", "twitter.")) else name


def _first(metas: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((metas[name] for name in names if name in metas), None)


def _author(article: Linked, metas: dict[str, str], tree: HtmlElement) -> str | None:
    named = (metas[name] for name in _AUTHORS if name in metas)
    found = article.author or next((name for name in named if "://" not in name), None)
    if found:
        return found.removeprefix("@")
    for path in _BYLINE:
        for element in tree.iterfind(path):
            text = element.get("content") or line_of(element, 120)
            if 2 < len(text) < 100:
                return text
    return None


def _published(article: Linked, metas: dict[str, str], tree: HtmlElement, today: str, chars: int) -> str | None:
    for said in (article.published, *(metas.get(name) for name in _DATES), *_marked_times(tree)):
        if said and (date := iso(said)):
            return date
    if chars > SEARCH_CHARS_MAX:
        return None
    try:
        found = find_date(tree, extensive_search=False, original_date=True, max_date=today, verbose=False)
    except (ValueError, TypeError, AttributeError, OverflowError, LxmlError):  # what a date parser does to odd pages
        return None
    return str(found) if found else None


def _marked_times(tree: HtmlElement) -> Iterator[str]:
    for path in (".//*[@itemprop='datePublished']", ".//time[@pubdate]"):
        for element in tree.iterfind(path):
            yield element.get("datetime") or element.get("content") or line_of(element, 40)


def iso(said: str) -> str | None:
    """An ISO 8601 date or time from what pages write as one; None when it is no real day."""
    match = _ISO.match(said.strip())
    if not match:
        return None
    year, month, day, clock, zone = match.groups()
    try:
        dt.date(int(year), int(month), int(day))
    except ValueError:
        return None
    date = f"{year}-{month}-{day}"
    if not clock:
        return date
    digits = clock.replace(":", "")
    seconds = f":{digits[4:]}" if len(digits) > 4 else ""
    zone = zone if not zone or zone == "Z" or ":" in zone else f"{zone[:3]}:{zone[3:]}"
    return f"{date}T{digits[:2]}:{digits[2:4]}{seconds}{zone or ''}"


def _language(article: Linked, metas: dict[str, str], tree: HtmlElement) -> str | None:
    root = tree if tree.tag == "html" else tree.find(".//html")
    declared = () if root is None else (root.get("lang"), root.get("xml:lang"))
    more = (metas.get("content-language"), metas.get("dc:language"), metas.get("og:locale"), article.language)
    for said in (*declared, *more):
        if said and _LANGUAGE.match(said.strip()):
            return str(said).strip().replace("_", "-")
    return None
