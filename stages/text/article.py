"""The article of a page: trafilatura once on one parse, a thorough second try when it found little, else text."""

from __future__ import annotations

import html
import logging
import re
from typing import Final

from lxml.etree import LxmlError, XPath, _Element
from lxml.html import HtmlElement
from trafilatura import bare_extraction
from trafilatura.utils import load_html

from pipeline.documents import Extracted, Image
from pipeline.text.sanitise import sanitise
from stages.text import render
from stages.text.charset import decode
from stages.text.marked import from_markdown
from stages.text.metadata import Metadata, metadata
from stages.text.pictures import absolute, put_back
from stages.text.plain import CONTROL, from_plain, visible

TINY: Final = 2000  # characters under which a result may be too little for its page
TINY_SHARE: Final = 0.5  # of the page's visible text
BETTER: Final = 1.3  # times the first result, for the second to be taken
HIDDEN_SHARE: Final = 0.75  # of the page's text; what hides more is waiting for its scripts
UNREADABLE: Final = 0.1  # of the characters; a body with more that cannot be decoded is no text
NOTHING: Final = 2  # characters: less is no text

_HIDDEN: Final = re.compile(r"(?:display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden)", re.IGNORECASE)

_STYLED: Final = XPath("//body//*[@style or @hidden]")
_TEXT_SIZE: Final = XPath("string-length(normalize-space())")

# trafilatura assumes trees that browsers would make; on others it fails in these ways, and the scanner takes over.
_ITS_FAILURES: Final = (LxmlError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
logging.getLogger("htmldate").setLevel(logging.CRITICAL)


def extract(content: bytes, *, url: str, media_type: str, charset: str | None, today: str) -> Extracted | None:
    """The article in `content`, or None when there is no text in it. `url` is what its links are relative to."""
    text, codec = decode(content, charset)
    if text.count("\ufffd") > len(text) * UNREADABLE:
        return None
    if media_type.startswith("text/") and media_type != "text/html":
        document = _of_text(text, url, media_type, codec)
        return document if len(document.text) >= NOTHING else None
    text = text.replace("\x00", "")
    tree = load_html(text)
    if tree is None:
        return _scanned(text, codec, None)
    about = metadata(tree, url=url, today=today, chars=len(text))
    _drop_hidden(tree)
    body, method = _best(tree, text)
    if body is None:
        return _scanned(text, codec, about)
    try:
        document = _document(tree, body, about, codec, method)
    except _ITS_FAILURES:
        return _scanned(text, codec, about)
    return document if len(document.text) >= NOTHING else _scanned(text, codec, about)


def _of_text(text: str, url: str, media_type: str, codec: str) -> Extracted:
    if media_type in ("text/markdown", "text/x-markdown"):
        return from_markdown(text.translate(CONTROL), base=url, charset=codec)
    return from_plain(text, method="plain", charset=codec)


def _drop_hidden(tree: HtmlElement) -> None:
    """Take out what a browser would not show; unless that is most of the page, which scripts would then have shown."""
    styled = _STYLED(tree)
    hidden = [element for element in styled if "hidden" in element.attrib or _HIDDEN.search(element.get("style", ""))]
    if not hidden:
        return
    lost = sum(_size(element) for element in hidden)  # nested ones count twice, which errs on the side of keeping
    if lost > _size(tree.find(".//body")) * HIDDEN_SHARE:
        return
    for element in hidden:
        if element.getparent() is not None:
            element.drop_tree()


def _best(tree: HtmlElement, text: str) -> tuple[_Element | None, str]:
    body = _attempt(tree, fast=True)
    size = _size(body)
    if size >= TINY or size >= TINY_SHARE * len(visible(text)):
        return body, "trafilatura"
    second = _attempt(tree, fast=False)
    if _size(second) > BETTER * size:
        return second, "trafilatura-full"
    return body, "trafilatura"


def _attempt(tree: HtmlElement, *, fast: bool) -> _Element | None:
    try:
        found = bare_extraction(
            tree,
            fast=fast,
            include_comments=False,
            include_formatting=True,
            include_links=True,
            output_format="txt",  # "python" would render the text, which is done here
        )
    except _ITS_FAILURES:
        return None
    body: _Element | None = getattr(found, "body", None)
    return body if body is not None and _size(body) >= NOTHING else None


def _size(body: _Element | None) -> int:
    return 0 if body is None else int(_TEXT_SIZE(body))


def _document(tree: HtmlElement, body: _Element, about: Metadata, codec: str, method: str) -> Extracted:
    text = render.plain(body)
    links = render.links(body, about.base)
    images = put_back(tree, body, about.base) or _lead(tree, about.base)
    markdown = render.markdown(body)
    markup = render.markup(body)
    if about.right_to_left:
        markup = f'<div dir="rtl">{markup}</div>'
    return Extracted(
        text=text,
        markdown=markdown,
        html=sanitise(markup, about.base),
        title=about.title,
        author=about.author,
        site=about.site,
        published=about.published,
        language=about.language,
        description=about.description,
        canonical=about.canonical,
        images=images,
        links=links,
        charset=codec,
        method=method,
    )


def _lead(tree: HtmlElement, base: str) -> tuple[Image, ...]:
    """The image that the page shows of itself elsewhere, when its article has none."""
    for element in tree.iterfind(".//meta[@property='og:image']"):
        if address := absolute(element.get("content"), base):
            return (Image(url=address),)
    return ()


def _scanned(text: str, codec: str, about: Metadata | None) -> Extracted | None:
    """All visible text of a page that no parser takes (thousands of nested elements, broken markup)."""
    lines = visible(text).split("\n")
    if len("".join(lines)) < NOTHING:
        return None
    return Extracted(
        text="\n".join(lines),
        markdown="\n\n".join(lines),
        html="\n".join(f"<p>{html.escape(line, quote=False)}</p>" for line in lines),
        title=about.title if about else None,
        author=about.author if about else None,
        site=about.site if about else None,
        published=about.published if about else None,
        language=about.language if about else None,
        description=about.description if about else None,
        canonical=about.canonical if about else None,
        charset=codec,
        method="scanner",
    )
