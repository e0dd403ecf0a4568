"""The extracted tree as plain text, Markdown and HTML: three renderings of one extraction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml.etree import _Element, iterwalk, tostring
from trafilatura.htmlprocessing import convert_to_html
from trafilatura.xml import xmltotxt

from stages.text.pictures import absolute

LINKS_MAX: Final = 500
_BLOCKS: Final = frozenset({
    "article", "body", "code", "div", "head", "item", "lb", "list", "p", "quote", "row", "section", "table",
})  # fmt: skip


def plain(body: _Element) -> str:
    """The text, one paragraph a line; cells of a table row are set apart by spaces."""
    lines = (" ".join(line.split()) for line in "".join(_pieces(body)).split("\n"))
    return "\n".join(line for line in lines if line)


def _pieces(body: _Element) -> Iterator[str]:
    for event, element in iterwalk(body, events=("start", "end")):
        block = element.tag in _BLOCKS
        if event == "start":
            if block:
                yield "\n"
            if element.text and isinstance(element.tag, str):
                yield _flat(element.text) if element.tag != "code" else element.text
        else:
            if block:
                yield "\n"
            elif element.tag == "cell":
                yield " "
            if element.tail:
                yield _flat(element.tail)


def _flat(text: str) -> str:
    return text.replace("\n", " ")


def links(body: _Element, base: str) -> tuple[str, ...]:
    """Make the links of the tree absolute, in place; others than http(s) lose their target. The first 500."""
    found: dict[str, None] = {}
    for element in body.iter("ref"):
        address = absolute(element.get("target"), base)
        if address:
            element.set("target", address)
            found.setdefault(address)
        else:
            element.tag = "span"
            element.attrib.clear()
    return tuple(found)[:LINKS_MAX]


def markdown(body: _Element) -> str:
    """CommonMark with GFM tables; leaves the tree as it is."""
    return xmltotxt(body, include_formatting=True)


def markup(body: _Element) -> str:
    """HTML that still has to be sanitised. Uses the tree up: call it last."""
    html = convert_to_html(body)
    return "".join(tostring(child, encoding="unicode") for child in html[0])
