"""The library: everything that is kept, newest first, or what a search finds."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from quart import Response, request

from gateway.deps import Deps
from gateway.query import Query
from gateway.render import page
from pipeline.lifecycle import IN_FLIGHT, State
from pipeline.store.items import ItemFilter
from pipeline.store.rows import ItemRow
from pipeline.store.search import Hit
from pipeline.text.snippet import Segment

PAGE_SIZE = 30


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A row as the list shows it; `title` and `snippet` have marks when a search found it."""

    row: ItemRow
    title: tuple[Segment, ...] = ()
    snippet: tuple[Segment, ...] = ()


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One of the views above the list: a state of the pipeline, or a search."""

    name: str
    query: str
    is_current: bool


VIEWS: tuple[tuple[str, dict[str, str]], ...] = (
    ("All", {}),
    ("Unread", {"q": "is:unread"}),
    ("Starred", {"q": "is:starred"}),
    ("Archived", {"q": "is:archived"}),
    ("In progress", {"state": ",".join(state for state in State if state in IN_FLIGHT)}),
    ("Failed", {"state": "dead"}),
    ("Duplicates", {"state": "duplicate"}),
)


async def show(deps: Deps) -> Response:
    query = Query("q", "cursor", "state", "tag")
    words = (query.text("q") or "").strip()
    cursor = query.text("cursor")
    states = query.choices("state", State)
    tag = query.text("tag", limit=100)
    query.done()
    if words:
        found = await deps.store.search.find(words, limit=PAGE_SIZE, cursor=cursor)
        entries, following, total = tuple(map(_hit, found.hits)), found.cursor, found.total
    else:
        listed = await deps.store.items.list(ItemFilter(limit=PAGE_SIZE, cursor=cursor, states=states, tag=tag))
        entries, following, total = tuple(Entry(row=each) for each in listed.items), listed.cursor, None
    return await page(
        deps,
        "library.html",
        entries=entries,
        total=total,
        words=words,
        tag=tag,
        states=",".join(states),
        views=_views(),
        following=_with(cursor=following) if following else None,
        is_first=cursor is None,
    )


def _hit(hit: Hit) -> Entry:
    return Entry(row=hit.row, title=hit.title, snippet=hit.snippet)


def _views() -> tuple[View, ...]:
    current = {name: value for name, value in request.args.items() if name in ("q", "state", "tag")}
    return tuple(
        View(name=name, query="/" + (f"?{urlencode(wanted)}" if wanted else ""), is_current=wanted == current)
        for name, wanted in VIEWS
    )


def _with(**changes: str) -> str:
    return "/?" + urlencode({**dict(request.args.items()), **changes})
