"""The corpus of real pages beside the repository: its pages, what a reader should see of them, and how to compare."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import lxml.html
import msgspec
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "pages"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    content: bytes
    expected: str  # the text that a reader should see
    title: str | None


def pages() -> list[Page]:
    """All pages, by name. Skips the test when the folder is not there."""
    if not FOLDER.is_dir():
        pytest.skip("the corpus ../shared/corpus/pages is not beside the repository")
    names = sorted(path.stem for path in FOLDER.glob("*.json"))
    return [_page(name) for name in names]


def _page(name: str) -> Page:
    expected = lxml.html.fromstring((FOLDER / f"{name}.expected.html").read_text("utf-8")).text_content()
    return Page(
        name=name,
        content=(FOLDER / f"{name}.html").read_bytes(),
        expected=expected,
        title=json.loads((FOLDER / f"{name}.json").read_text("utf-8")).get("title"),
    )


def word_f1(found: str, expected: str) -> float:
    """Harmonic mean of precision and recall over the bags of words."""
    ours, theirs = (Counter(re.findall(r"\w+", text.lower())) for text in (found, expected))
    shared = sum((ours & theirs).values())
    if not shared:
        return 0.0
    precision, recall = shared / sum(ours.values()), shared / sum(theirs.values())
    return 2 * precision * recall / (precision + recall)
