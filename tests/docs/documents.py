"""The documents as data: headings, links, fenced blocks and how each is proved.

A fenced block of shell commands has a mark above it, which readers of the page do not see:

    <!-- run: checkout -->          run in a fresh checkout, in the order of the page
    <!-- run: checkout, stays -->   the same, but left running until the next one that stays, or the end of the page
    <!-- run: host -->              run as root on a booted machine with systemd
    <!-- run: proxy -->             a configuration, run by the real proxy in front of a real Atlas
    <!-- not run: why -->           with the reason
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).resolve().parent.parent.parent
# What a person reads to run Atlas. Every block of commands in them is run, or says why not.
GUIDES: Final = ("README.md", "QUICKSTART.md", "OPERATIONS.md", "SECURITY.md")
SHELL: Final = frozenset({"sh", "bash", "console"})
_MARK: Final = re.compile(r"<!-- (run|not run): (.+?) -->\s*\Z", re.DOTALL)
_REFERENCE: Final = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block. `heading` is the last one above it, `mark` what the comment above it says ("" for none)."""

    path: Path
    line: int
    language: str
    content: str
    heading: str
    mark: str

    @property
    def is_shell(self) -> bool:
        return self.language in SHELL

    @property
    def place(self) -> str:
        """Where it is run: checkout, host, proxy; "" where it is not."""
        return self.mark.removeprefix("run: ").partition(",")[0] if self.mark.startswith("run: ") else ""

    @property
    def stays(self) -> bool:
        return self.mark.endswith(", stays")

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Heading:
    line: int
    level: int
    text: str
    anchor: str


@dataclass(frozen=True, kw_only=True)
class Document:
    """One page, read once."""

    path: Path
    text: str
    headings: tuple[Heading, ...]
    blocks: tuple[Block, ...]
    links: tuple[str, ...]


@cache
def pages() -> tuple[Path, ...]:
    """Every page of Markdown that belongs to the checkout."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return tuple(sorted(found))


@cache
def read(path: Path) -> Document:
    text = path.read_text(encoding="utf-8")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    headings = _headings(tokens)
    return Document(
        path=path, text=text, headings=headings, blocks=tuple(_blocks(path, tokens)), links=tuple(_links(tokens))
    )


def guide(name: str) -> Document:
    return read(ROOT / name)


def commands_of(name: str, *, place: str, heading: str | None = None) -> list[str]:
    """The shell blocks of a guide that are run at `place`, in the order of the page, as they are written.

    `heading`: only those under the heading of this text and under the headings inside it.
    """
    document = guide(name)
    wanted = [block for block in document.blocks if block.is_shell and block.place == place]
    if heading is not None:
        first, last = _section(document, heading)
        wanted = [block for block in wanted if first <= block.line < last]
    assert wanted, f"{name} has no block that is run at {place}" + (f" under {heading}" if heading else "")
    return [block.content for block in wanted]


def block_of(name: str, language: str, *, containing: str) -> Block:
    """The one block of a language that holds a text."""
    (found,) = [each for each in guide(name).blocks if each.language == language and containing in each.content]
    return found


def named_in(text: str) -> list[str]:
    """What stands between single backticks."""
    return _REFERENCE.findall(text)


def rows(document: Document, *, under: str) -> list[list[str]]:
    """The cells of the tables of a section, without their headings."""
    first, last = _section(document, under)
    lines = document.text.splitlines()[first - 1 : last - 1]
    tables = [line for line in lines if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in tables]
    rules = {index for index, row in enumerate(cells) if all(re.fullmatch(r":?-+:?", cell) for cell in row)}
    return [row for index, row in enumerate(cells) if index not in rules and index + 1 not in rules]


def _section(document: Document, heading: str) -> tuple[int, int]:
    """The lines from a heading to the next one that is not inside it."""
    (start,) = [each for each in document.headings if each.text == heading]
    after = [each.line for each in document.headings if each.line > start.line and each.level <= start.level]
    return start.line, min(after, default=len(document.text.splitlines()) + 1)


def _headings(tokens: list[Token]) -> tuple[Heading, ...]:
    found: list[Heading] = []
    seen: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open" or opening.map is None:
            continue
        text = "".join(child.content for child in inline.children or [] if child.type in {"text", "code_inline"})
        # As GitHub makes them: letters, digits, hyphens and underscores; a second one of a name gets a number.
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        again = seen.get(anchor, 0)
        seen[anchor] = again + 1
        anchor = f"{anchor}-{again}" if again else anchor
        found.append(Heading(line=opening.map[0] + 1, level=int(opening.tag[1:]), text=text, anchor=anchor))
    return tuple(found)


def _blocks(path: Path, tokens: list[Token]) -> list[Block]:
    found: list[Block] = []
    heading, before = "", ""
    for token in tokens:
        if token.type == "inline" and token.level == 1 and heading == "\0":
            heading = token.content
        if token.type == "heading_open":
            heading = "\0"
        if token.type == "fence" and token.map is not None:
            mark = _MARK.search(before)
            found.append(
                Block(
                    path=path,
                    line=token.map[0] + 1,
                    language=token.info.split()[0] if token.info.strip() else "",
                    content=token.content,
                    heading=heading,
                    mark=f"{mark[1]}: {mark[2]}" if mark else "",
                )
            )
        if token.type in {"fence", "html_block", "paragraph_close", "heading_close", "code_block"}:
            before = token.content if token.type == "html_block" else ""
    return found


def _links(tokens: list[Token]) -> list[str]:
    inline = [child for token in tokens for child in token.children or []]
    return [str(child.attrs["href"]) for child in inline if child.type == "link_open"]
