"""How far the corpus's pages stand apart: the likeness of each to its own title or slug, and to those of all others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import msgspec

from stages.text.likeness import Known, likeness
from stages.text.look import look
from tests.corpus import Page

HERE = "https://a.test/"


class Separation(msgspec.Struct, frozen=True, kw_only=True):
    """`own` and `others` are of real pages; `synthetic` those of set type, whose titles may stand nowhere in them."""

    own: list[float]
    others: list[float]
    synthetic: list[float]


def separation(pages: Sequence[Page], *, title: bool, slug: bool) -> Separation:
    titled = [page for page in pages if page.title]
    glances = {page.name: look(page.content, url=HERE, media_type="text/html", charset=None) for page in titled}
    real = [page for page in titled if "lorem" not in glances[page.name].sample.lower()]
    known = {
        page.name: Known(title=page.title if title else None, url=HERE + (slug_of(page.title or "") if slug else ""))
        for page in titled
    }

    def alike(page: Page, other: Page) -> float | None:
        return likeness(known[page.name], glances[other.name])

    return Separation(
        own=sorted(found for page in real if (found := alike(page, page)) is not None),
        others=sorted(
            found for page in real for other in real if page is not other and (found := alike(page, other)) is not None
        ),
        synthetic=sorted(found for page in titled if page not in real and (found := alike(page, page)) is not None),
    )


def slug_of(title: str) -> str:
    """As a site would make it: eight words in ASCII; "" when the title has no letters for that."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)[:8]
    return "-".join(words) if len(words) > 1 else ""
