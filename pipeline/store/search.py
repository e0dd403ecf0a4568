"""Full-text search: the index row of an item, and queries of pipeline.text.query as SQL.

What a person types reaches SQL only as bound values, and FTS5 only as quoted words.
"""

from __future__ import annotations

import zlib
from typing import Final, assert_never, cast

import apsw
import msgspec

from pipeline.errors import Fault, InvalidInput
from pipeline.store import rows
from pipeline.store.cursor import decode_cursor, encode_cursor
from pipeline.store.ports import Db
from pipeline.text.cjk import searchable
from pipeline.text.query import All, Either, Flag, Is, Node, Not, Since, Site, Tag, Until, Words, parse, sought
from pipeline.text.snippet import Segment, mark, snippet

MAX_TOTAL: Final = 10_000  # counted to here, and paged to here
MAX_LIMIT: Final = 100

_RANK: Final = "bm25(search, 8.0, 1.0, 3.0, 2.0, 4.0)"  # title, text, author, site, tags
# The day an item is dated: the article's own, else the day it was saved. Both are ISO, so they compare as text.
_DAY: Final = "coalesce(nullif(d.published, ''), strftime('%Y-%m-%d', i.created_at / 1000, 'unixepoch'))"

_FLAGS: Final = {
    Flag.UNREAD: "i.read_at IS NULL",
    Flag.READ: "i.read_at IS NOT NULL",
    Flag.STARRED: "i.starred_at IS NOT NULL",
    Flag.ARCHIVED: "i.archived_at IS NOT NULL",
    Flag.PENDING: "i.state IN ('deferred', 'ready', 'leased', 'waiting')",
    Flag.WAITING: "i.state = 'waiting'",
    Flag.DONE: "i.state = 'done'",
    Flag.DUPLICATE: "i.state = 'duplicate'",
    Flag.DEAD: "i.state = 'dead'",
    Flag.PAGE: "i.kind = 'page'",
    Flag.NOTE: "i.kind = 'note'",
}

_LIVE: Final = "i.deleted_at IS NULL"


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One item found. Title and snippet are plain text: whoever renders them escapes them."""

    row: rows.ItemRow
    title: tuple[Segment, ...]
    snippet: tuple[Segment, ...]
    score: float  # higher is better; 0 when nothing but filters was asked for


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    hits: tuple[Hit, ...]
    cursor: str | None
    total: int  # of all pages, counted up to MAX_TOTAL


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A query as SQL: `match` ranks, `where` filters."""

    match: str | None
    where: str
    bindings: tuple[str, ...]


class SearchStore:
    """Searching, for everyone else."""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def find(self, query: str, *, limit: int = 20, cursor: str | None = None) -> SearchPage:
        """A page of hits, best first; newest first when the query has no words. Any text is a query.

        Raises InvalidInput for a cursor that did not come from this query.
        """
        return await self._db.read(lambda conn: find(conn, query, limit=limit, cursor=cursor))


def index(conn: apsw.Connection, item_id: int) -> None:
    """Write the item's row, in place of one it has. Without a document its given title is found all the same."""
    row = conn.execute(
        """SELECT i.given_title, d.title, d.text, d.author, d.site, i.host,
               (SELECT group_concat(tag, ' ') FROM tags WHERE item_id = i.id)
           FROM items i LEFT JOIN documents d ON d.item_id = i.id WHERE i.id = ?""",
        (item_id,),
    ).fetchone()
    unindex(conn, item_id)
    if row is None:
        return
    given, title, text, author, site, host, tags = (value if isinstance(value, str) else "" for value in row)
    columns = (title if title == given else f"{given}\n{title}", text, author, f"{site}\n{host}", tags)
    conn.execute(
        "INSERT INTO search (rowid, title, text, author, site, tags) VALUES (?, ?, ?, ?, ?, ?)",
        (item_id, *map(searchable, columns)),
    )


def unindex(conn: apsw.Connection, item_id: int) -> None:
    """Remove the item's row, if it has one."""
    conn.execute("DELETE FROM search WHERE rowid = ?", (item_id,))


def find(conn: apsw.Connection, query: str, *, limit: int = 20, cursor: str | None = None) -> SearchPage:
    """See SearchStore.find."""
    limit = max(1, min(limit, MAX_LIMIT))
    offset = _offset(query, cursor)
    asked = parse(query)
    plan = _plan(asked)
    total = _total(conn, plan)
    found = _ranked(conn, plan, limit, offset)
    following = offset + limit
    return SearchPage(
        hits=tuple(_hit(conn, asked, item_id, score) for item_id, score in found),
        cursor=encode_cursor(_sum(query), following) if following < total else None,
        total=total,
    )


def _sum(query: str) -> int:
    return zlib.crc32(query.encode("utf-8", "replace"))


def _offset(query: str, cursor: str | None) -> int:
    if cursor is None:
        return 0
    made_for, offset = decode_cursor(cursor, 2)
    if made_for != _sum(query) or not 0 <= offset <= MAX_TOTAL:
        fault = Fault(where="cursor", what="it belongs to another query", hint="start again without one")
        raise InvalidInput("the cursor is not valid", faults=(fault,))
    return offset


def _total(conn: apsw.Connection, plan: _Plan) -> int:
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {_source(plan)} WHERE {plan.where} LIMIT {MAX_TOTAL})"
    return rows.integer(conn.execute(sql, plan.bindings).get)


def _ranked(conn: apsw.Connection, plan: _Plan, limit: int, offset: int) -> list[tuple[int, float]]:
    """Ids and scores only: sorting whole rows would read every document that matches."""
    score, best = (_RANK, "score,") if plan.match is not None else ("0.0", "")
    sql = f"""SELECT i.id, {score} AS score FROM {_source(plan)} WHERE {plan.where}
              ORDER BY {best} i.raised_at DESC, i.id DESC LIMIT {limit:d} OFFSET {offset:d}"""
    return [(rows.integer(item_id), 0.0 - cast(float, score)) for item_id, score in conn.execute(sql, plan.bindings)]


def _hit(conn: apsw.Connection, asked: All, item_id: int, score: float) -> Hit:
    sql = f"SELECT {rows.ITEM_COLUMNS}, {rows.SUMMARY_COLUMNS}, d.text FROM {rows.ITEM_FROM} WHERE i.id = ?"
    values = conn.execute(sql, (item_id,)).fetchone()
    assert values is not None, "found in the same snapshot"
    row = rows.item_row(values)
    text = values[-1] if isinstance(values[-1], str) else ""
    return Hit(
        row=row,
        title=mark(row.item.title or row.item.url or "", sought(asked, "title")),
        snippet=snippet(text, sought(asked)),
        score=score,
    )


def _source(plan: _Plan) -> str:
    joined = "documents d ON d.item_id = i.id"
    if plan.match is None:
        return f"items i LEFT JOIN {joined}"
    return f"search JOIN items i ON i.id = search.rowid LEFT JOIN {joined}"


def _plan(asked: All) -> _Plan:
    """All that is words goes into one ranked MATCH; the rest are conditions."""
    wanted = [expression for node in asked.nodes if (expression := _expression(node)) is not None]
    match = " AND ".join(wanted) or None
    conditions, bindings = [_LIVE], []
    if match is not None:
        conditions.append("search MATCH ?")
        bindings.append(match)
    for node in asked.nodes:
        if _expression(node) is None:
            condition, values = _condition(node)
            conditions.append(condition)
            bindings += values
    return _Plan(match=match, where=" AND ".join(conditions), bindings=tuple(bindings))


def _expression(node: Node) -> str | None:
    """The node in FTS5's language; None when it is more than words."""
    match node:
        case Words():
            quoted = '"' + " ".join(node.words) + '"' + (" *" if node.prefix else "")
            return f"{node.field} : {quoted}" if node.field else quoted
        case Either():
            inner = [_expression(part) for part in node.nodes]
            return None if None in inner else "(" + " OR ".join(filter(None, inner)) + ")"
        case All() | Not() | Site() | Tag() | Is() | Since() | Until():
            return None
        case _:
            assert_never(node)


def _condition(node: Node) -> tuple[str, tuple[str, ...]]:
    """The node as an SQL condition with what is bound to it."""
    match node:
        case Words():
            return "i.id IN (SELECT rowid FROM search WHERE search MATCH ?)", (_expression(node) or "",)
        case Site():
            # Not LIKE: it would read a host's `_` as a wildcard.
            return "(i.host = ? OR substr(i.host, -length(?)) = ?)", (node.host, f".{node.host}", f".{node.host}")
        case Tag():
            return "i.id IN (SELECT item_id FROM tags WHERE tag = ?)", (node.name,)
        case Is():
            return _FLAGS[node.flag], ()
        case Since() | Until():
            return f"{_DAY} {'>=' if isinstance(node, Since) else '<'} ?", (node.day,)
        case Not() | Either() | All():
            return _combination(node)
        case _:
            assert_never(node)


def _combination(node: Not | Either | All) -> tuple[str, tuple[str, ...]]:
    if isinstance(node, Not):
        condition, values = _condition(node.node)
        return f"NOT coalesce({condition}, 0)", values  # what has no host is not on that host either
    parts = [_condition(part) for part in node.nodes]
    word = " OR " if isinstance(node, Either) else " AND "
    return "(" + word.join(part[0] for part in parts) + ")", tuple(value for part in parts for value in part[1])
