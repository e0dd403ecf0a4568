"""Markdown, as notes are written in it: rendered to safe HTML, with its text, links and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeline.documents import Extracted, Image
from pipeline.text.sanitise import sanitise
from stages.text.pictures import IMAGES_MAX, absolute
from stages.text.plain import first_line, visible
from stages.text.render import LINKS_MAX

# Tags that a person typed stay visible as they are, and a line that was ended is ended.
_RENDERER: Final = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True}).enable(
    ["table", "strikethrough", "linkify"]
)
assert _RENDERER.linkify is not None
_RENDERER.linkify.set({"fuzzy_link": False, "fuzzy_email": False})  # README.md is a file, not a site in Moldova


def from_markdown(markdown: str, *, base: str, charset: str | None = None) -> Extracted:
    """A document of a Markdown text, which it keeps as it was written. `base` is what its links are relative to."""
    tokens = _RENDERER.parse(markdown)
    rendered = _RENDERER.renderer.render(tokens, _RENDERER.options, {})
    text = visible(rendered)
    return Extracted(
        text=text,
        markdown=markdown.strip(),
        html=sanitise(rendered, base),
        title=first_line(tuple(text.split("\n", 1))),
        images=tuple(dict.fromkeys(_images(tokens, base)))[:IMAGES_MAX],
        links=tuple(dict.fromkeys(_links(tokens, base)))[:LINKS_MAX],
        charset=charset,
        method="markdown",
    )


def _links(tokens: list[Token], base: str) -> Iterator[str]:
    for token in _inline(tokens):
        if token.type == "link_open" and (address := absolute(str(token.attrGet("href") or ""), base)):
            yield address


def _images(tokens: list[Token], base: str) -> Iterator[Image]:
    for token in _inline(tokens):
        if token.type == "image" and (address := absolute(str(token.attrGet("src") or ""), base)):
            yield Image(url=address, alt=token.content)


def _inline(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield from token.children or ()
