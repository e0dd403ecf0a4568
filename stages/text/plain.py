"""Bodies without structure: plain text as paragraphs, and the bounded scanner for pages that no parser takes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

from pipeline.documents import Extracted

_TAG_MAX: Final = 65_536  # a "tag" longer than this is text that merely begins with "<"
_SKIPPED: Final = frozenset({"script", "style", "template", "noscript", "head", "svg", "nav", "footer", "form"})
_INLINE: Final = frozenset({
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "dfn", "em", "font", "i", "ins", "kbd", "label",
    "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u",
    "var", "wbr",
})  # fmt: skip
_NAME: Final = re.compile(r"/?([a-zA-Z][a-zA-Z0-9-]{0,40})")
_BLANK_LINES: Final = re.compile(r"\n[ \t]*\n\s*")
CONTROL: Final = {code: None for code in range(32) if code not in (9, 10)} | {127: None}


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a plain text: separated by blank lines, hard-wrapped lines joined."""
    clean = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").translate(CONTROL)
    for block in _BLANK_LINES.split(clean):
        if line := " ".join(block.split()):
            yield line


def from_plain(text: str, *, method: str, charset: str | None = None) -> Extracted:
    """A document of a plain text. The markdown is the text itself: Markdown files are served as text/plain, too."""
    lines = tuple(paragraphs(text))
    body = "\n".join(f"<p>{html.escape(line, quote=False)}</p>" for line in lines)
    title = first_line(lines)
    return Extracted(
        text="\n".join(lines),
        markdown="\n\n".join(lines) if method == "scanner" else text.translate(CONTROL).strip(),
        html=body,
        title=title,
        charset=charset,
        method=method,
    )


def first_line(lines: tuple[str, ...]) -> str | None:
    """A short first paragraph is a title (a Markdown heading loses its marks)."""
    if not lines or len(lines[0]) > 120:
        return None
    return lines[0].lstrip("#").strip(" =*_") or None


def visible(markup: str) -> str:
    """The visible text of a page, one block a line, by one pass from left to right: linear, and blind to nesting."""
    text = html.unescape("".join(_Scanner(markup).run())).translate(CONTROL)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


class _Scanner:
    """Splits markup into text and tags; remembers which close tags do not come any more, so as to stay linear."""

    def __init__(self, markup: str) -> None:
        self._markup = markup
        self._absent: set[str] = set()

    def run(self) -> Iterator[str]:
        at = 0
        while (start := self._markup.find("<", at)) >= 0:
            yield self._markup[at:start]
            at, meaning = self._past(start)
            yield meaning
        yield self._markup[at:]

    def _past(self, start: int) -> tuple[int, str]:
        """Where the text goes on after the "<" at `start`, and what the tag means for the text."""
        markup = self._markup
        if markup.startswith("<!--", start):
            return self._find("-->", start + 4) or len(markup), ""
        name = _NAME.match(markup, start + 1)
        if not name and markup[start + 1 : start + 2] not in ("!", "?"):
            return start + 1, "<"
        end = markup.find(">", start, start + _TAG_MAX) + 1
        if not end:
            return min(len(markup), start + _TAG_MAX), ""
        tag = name[1].lower() if name else ""
        if tag in _SKIPPED and markup[start + 1] != "/":
            return self._after(tag, end), "\n"
        return end, "" if tag in _INLINE else "\n"

    def _after(self, tag: str, at: int) -> int:
        """The end of the element, at its close tag; without one it is empty (script and style: as all the rest)."""
        found = self._find(f"</{tag}", at) or self._find(f"</{tag.upper()}", at)
        if found:
            return found - len(f"</{tag}")
        return len(self._markup) if tag in ("script", "style") else at

    def _find(self, what: str, at: int) -> int:
        """The end of the next `what`; 0 when there is none."""
        if what in self._absent:
            return 0
        found = self._markup.find(what, at)
        if found < 0:
            self._absent.add(what)
            return 0
        return found + len(what)
