"""What the searches have in common: the words to look for, and the best of the copies that are found elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pipeline.errors import AtlasError, BadUrl
from pipeline.text.urls import canonicalise
from stages.fallback.provider import Copy, FetchPort, Sought
from stages.text.glance import Glance
from stages.text.likeness import Known, likeness, slug_words

WORDS_MOST: Final = 24
FETCHED_MOST: Final = 3  # of the results, the likeliest first
LEAST_LIKENESS: Final = 0.3  # of a result's title; what is fetched is judged by validate, more strictly


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a search."""

    url: str
    title: str
    excerpt: str = ""


def words_for(sought: Sought) -> str | None:
    """What to search for: the title, else the words of the address. None when neither says anything."""
    words = (sought.title or "").split() or list(slug_words(sought.url))
    return " ".join(words[:WORDS_MOST]).replace('"', " ") or None


async def best_copy(fetcher: FetchPort, sought: Sought, results: Sequence[Result]) -> Copy | None:
    """The likeliest result that can be fetched. A site in trouble says nothing against the search."""
    for result in _likeliest(sought, results)[:FETCHED_MOST]:
        try:
            answer = await fetcher.fetch(result.url)
        except AtlasError:
            continue
        if answer.status == 200 and answer.content:
            return Copy(
                content=answer.content,
                url=result.url,
                base_url=answer.final_url,
                status=answer.status,
                media_type=answer.media_type,
                charset=answer.charset,
            )
    return None


def _likeliest(sought: Sought, results: Sequence[Result]) -> list[Result]:
    """Results at other addresses that are likely to be the page, the likeliest first, each address once."""
    known, own = Known(title=sought.title, url=sought.url), canonicalise(sought.url)
    found: dict[str, tuple[float, Result]] = {}
    for result in results:
        try:
            key = canonicalise(result.url)
        except BadUrl:
            continue
        alike = likeness(known, _seen(result)) or 0.0
        if key != own and alike >= LEAST_LIKENESS:
            found.setdefault(key, (alike, result))
    return [result for _, result in sorted(found.values(), key=lambda pair: -pair[0])]


def _seen(result: Result) -> Glance:
    """A result as if it were a page of which only title and beginning are known."""
    return Glance(
        title=result.title,
        headings=(),
        text_chars=len(result.excerpt),
        sample=result.excerpt,
        paragraphs=0,
        links=0,
        link_chars=0,
        scripts=0,
        forms_password=0,
        meta_refresh=None,
        canonical=None,
        cut=None,
        markers=(),
    )
