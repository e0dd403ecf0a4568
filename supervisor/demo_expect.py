"""What the sample site says must become of its pages, and how what came of them differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class ExpectedPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of one page; what is None may be anything."""

    path: str
    state: str
    stage: int | None = None
    verdict: str | None = None
    reason: str | None = None
    provider: str | None = None  # who had the page
    title: str | None = None
    language: str | None = None
    duplicate_of: str | None = None  # the original's path; posted once that one has ended
    words_at_least: int = 0
    from_feed: bool = False  # nobody posts it: the feed brings it


class ExpectedSearch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An example search and the paths that it finds, no more and no fewer."""

    query: str
    finds: tuple[str, ...]


class Expectations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    feed: str
    pages: tuple[ExpectedPage, ...]
    searches: tuple[ExpectedSearch, ...]
    finds_nothing: tuple[str, ...] = ()  # searches for words that stand only in menus and footers


def page_differences(expected: Expectations, rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for each thing that is not as it should be. `rows` are the API's items by the path of their URL."""
    said = [
        f"{path}: nobody asked for this item" for path in sorted(rows.keys() - {page.path for page in expected.pages})
    ]
    for page in expected.pages:
        if page.path not in rows:
            said.append(f"{page.path}: there is no such item")
            continue
        got = _summary(rows[page.path], rows)
        for field in ("state", "stage", "verdict", "reason", "provider", "title", "language", "duplicate_of"):
            want = getattr(page, field)
            if want is not None and want != got[field]:
                said.append(f"{page.path}: {field} is {got[field]!r}, not {want!r}")
        if (got["words"] or 0) < page.words_at_least:
            said.append(f"{page.path}: {got['words']} words, not at least {page.words_at_least}")
    return said


def search_differences(query: str, wanted: tuple[str, ...], found: tuple[str, ...]) -> list[str]:
    """A line when a search did not find exactly the wanted paths."""
    if set(wanted) == set(found):
        return []
    return [f"search {query}: found {', '.join(found) or 'nothing'}, not {', '.join(wanted) or 'nothing'}"]


def _summary(row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    path_of = {other["id"]: path for path, other in rows.items()}
    return {
        "state": row["state"],
        "stage": row["stage"]["code"],
        "verdict": row["verdict"],
        "reason": row["reason"] and row["reason"]["code"],
        "provider": (row.get("provenance") or {}).get("provider"),
        "title": row["title"],
        "language": row["language"],
        "words": row["word_count"],
        "duplicate_of": row["duplicate_of"] and path_of.get(row["duplicate_of"], row["duplicate_of"]),
    }
