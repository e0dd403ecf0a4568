"""One look at a page: the facts that validation judges by, from one parse and one walk, without extracting anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lxml.etree import iterwalk
from lxml.html import HtmlElement
from trafilatura.utils import load_html

from stages.text.charset import decode
from stages.text.glance import MARKER_CHARS, MARKERS_MAX, SAMPLE_CHARS, Glance
from stages.text.metadata import base_of, canonical_of, headings, line_of
from stages.text.plain import paragraphs, visible

_PARAGRAPH: Final = 40
_HIDDEN: Final = frozenset({"script", "style", "template", "noscript", "head"})
_APART: Final = frozenset(
    {"p", "div", "li", "br", "td", "th", "tr", "h1", "h2", "h3", "h4", "option", "section", "article"}
)
_ADDRESSED: Final = {"script": "src", "iframe": "src", "form": "action"}
_TAG_BEGINS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/!")
_SOLD: Final = re.compile(r"\s{0,20}:\s{0,20}\"?false", re.IGNORECASE)
_SOLD_MARKER: Final = "schema:isAccessibleForFree=false"


def look(content: bytes, *, url: str, media_type: str, charset: str | None) -> Glance:
    """Never raises for what a page holds. Plain text counts its paragraphs and has no title."""
    text, _ = decode(content, charset)
    text = text.replace("\x00", "")
    if media_type.startswith("text/") and media_type != "text/html":
        blocks = list(paragraphs(text))
        return _glance(" ".join(blocks), paragraphs=sum(len(block) >= _PARAGRAPH for block in blocks))
    tree = load_html(text)
    if tree is None:
        lines = visible(text).split("\n")
        return _glance(" ".join(lines), paragraphs=sum(len(line) >= _PARAGRAPH for line in lines))
    return _of_tree(tree, url, text)


def _glance(seen: str, *, paragraphs: int) -> Glance:
    return Glance(
        title=None, headings=(), text_chars=len(seen), sample=seen[:SAMPLE_CHARS], paragraphs=paragraphs, links=0,
        link_chars=0, scripts=0, forms_password=0, meta_refresh=None, canonical=None, cut=None, markers=(),
    )  # fmt: skip


def _of_tree(tree: HtmlElement, url: str, text: str) -> Glance:
    visible_text, linked, markers = _walk(tree)
    seen = " ".join(visible_text.split())
    return Glance(
        title=line_of(_title(tree), 500) or None,
        headings=headings(tree, ("h1", "h2", "h3")),
        text_chars=len(seen),
        sample=seen[:SAMPLE_CHARS],
        paragraphs=sum(len(line_of(element, _PARAGRAPH)) >= _PARAGRAPH for element in tree.iter("p")),
        links=sum(1 for _ in tree.iterfind(".//a[@href]")),
        link_chars=linked,
        scripts=sum(1 for _ in tree.iter("script")),
        forms_password=sum((element.get("type") or "").lower() == "password" for element in tree.iter("input")),
        meta_refresh=_refresh(tree),
        canonical=canonical_of(tree, base_of(tree, url)),
        cut=cut_of(text),
        markers=(_SOLD_MARKER, *markers) if _sold(text) else markers,
    )


def cut_of(text: str) -> str | None:
    """What a page breaks off inside of. Closing tags may be left out at its end, but what is open must not be a tag."""
    script = text.rfind("<script")
    if script >= 0 and text.find("</script", script) < 0 and text.find("</SCRIPT", script) < 0:
        return "a script"
    opened = text.rfind("<")
    broken = opened > text.rfind(">") and text[opened + 1 : opened + 2] in _TAG_BEGINS
    return "a tag" if broken else None


def _sold(text: str) -> bool:
    found = text.find('"isAccessibleForFree"')
    return found >= 0 and _SOLD.match(text, found + 21) is not None


def _title(tree: HtmlElement) -> HtmlElement | None:
    found: HtmlElement | None = tree.find(".//head/title")
    return tree.find(".//title") if found is None else found


def _walk(tree: HtmlElement) -> tuple[str, int, tuple[str, ...]]:
    """The visible text, how much of it is in links, and the first markers, from one walk."""
    pieces: list[str] = []
    markers: dict[str, None] = {}
    hidden = linked = chars = 0
    for event, element in iterwalk(tree, events=("start", "end")):
        tag = element.tag
        if event == "start":
            hidden += tag in _HIDDEN
            linked += tag == "a"
            if not hidden and (text := element.text) and isinstance(tag, str):
                pieces.append(text)
                chars += len(text.strip()) if linked else 0
            if len(markers) < MARKERS_MAX:
                markers.update((marker[:MARKER_CHARS], None) for marker in _markers(element, tag))
        else:
            hidden -= tag in _HIDDEN
            linked -= tag == "a"
            if not hidden:
                if tag in _APART:
                    pieces.append(" ")
                if tail := element.tail:
                    pieces.append(tail)
                    chars += len(tail.strip()) if linked else 0
    return "".join(pieces), chars, tuple(markers)[:MARKERS_MAX]


def _refresh(tree: HtmlElement) -> str | None:
    for element in tree.iterfind(".//meta[@http-equiv]"):
        if element.get("http-equiv", "").strip().lower() == "refresh":
            return (element.get("content") or "")[:2000]
    return None


def _markers(element: HtmlElement, tag: object) -> Iterator[str]:
    if name := element.get("id"):
        yield f"#{name}"
    if classes := element.get("class"):
        for name in classes[:2000].split():
            yield f".{name}"
    if tag in _ADDRESSED and (address := element.get(_ADDRESSED[str(tag)])):
        yield address
    elif tag == "script" and (code := element.text) and len(code) < MARKER_CHARS:
        yield code
