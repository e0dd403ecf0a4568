"""Different pages without end: real ones, each with a paragraph of its own put in, or small ones of our own."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.sample.pages import FOLDER, PAGES, answers

CORPUS: Final = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "pages"
_PARAGRAPH: Final = re.compile(
    rb"<p(?:\s[^>]*)?>(?:(?!<p[\s>]|<div[\s>]|</div>|<script).){150,}?</p>", re.DOTALL | re.IGNORECASE
)
# Their longest paragraph stands in a comment or a teaser, which extraction leaves out.
_UNFIT: Final = {"aktualne", "archive-of-our-own", "ars-1", "buzzfeed-1"}


@dataclass(frozen=True, kw_only=True)
class Mould:
    """A page cut open where a paragraph of the article ends."""

    name: str
    head: bytes
    tail: bytes


def corpus_pages() -> dict[str, bytes]:
    """The real pages by name, or nothing where the corpus is not there."""
    files = sorted(file for file in CORPUS.glob("*.html") if not file.name.endswith(".expected.html"))
    return {file.stem: file.read_bytes() for file in files}


def moulds() -> list[Mould]:
    """The pages that can be cut open: those of the corpus, else the sample site's."""
    pages = corpus_pages() or {page.article: answers("")[page.path].body for page in PAGES}
    found = (_cut(name, body) for name, body in pages.items() if name not in _UNFIT)
    return [mould for mould in found if mould is not None]


def _cut(name: str, body: bytes) -> Mould | None:
    """Cut after the longest paragraph: it stands in the article, and not in a menu or a footer."""
    longest = max(_PARAGRAPH.finditer(body), key=_text_length, default=None)
    if longest is None:
        return None
    return Mould(name=name, head=body[: longest.end()], tail=body[longest.end() :])


def _text_length(match: re.Match[bytes]) -> int:
    return len(re.sub(rb"<[^>]*>", b"", match[0]))


def maker(kind: str, seed: int) -> Callable[[int], bytes]:
    """A function from a page's number to its body: `corpus` pages are big and real, `small` ones cheap to parse."""
    cut = moulds() if kind == "corpus" else []
    words = json.loads((FOLDER / "logbook.json").read_text("utf-8"))

    def make(number: int) -> bytes:
        dice = random.Random(seed * 1_000_003 + number)
        if not cut:
            return _small(words, number, dice)
        mould = cut[number % len(cut)]
        return b"%b\n<p>%b</p>\n%b" % (mould.head, own_paragraph(words, number, dice).encode(), mould.tail)

    return make


def own_paragraph(plan: dict[str, Any], number: int, dice: random.Random) -> str:
    """Five sentences that no other page of this seed has, with the page's number as a word to search for."""

    def fill(match: re.Match[str]) -> str:
        word: str = dice.choice(plan["words"][match[1].lower()])
        return word

    lines = [dice.choice(plan[part]) for part in ("opening", "lamp", "traffic", "ashore", "ashore")]
    said = " ".join(re.sub(r"\{(\w+)\}", fill, line) for line in lines)
    return f"Entry number{number:06d} was written on a page of its own. {said}"


def _small(plan: dict[str, Any], number: int, dice: random.Random) -> bytes:
    paragraphs = "\n".join(f"<p>{own_paragraph(plan, number, dice)}</p>" for _ in range(4))
    title = f"Log entry {number:06d}"
    page = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><nav><a href='/'>Log</a></nav><article><h1>{title}</h1>\n{paragraphs}\n</article></body></html>"
    )
    return page.encode()
