"""What a copy of a library is known by: whose it is, what its tables hold, what its index finds. For backups."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import apsw
import msgspec

from pipeline.store import rows
from pipeline.store.migrate import APPLICATION_ID, SCHEMA_VERSION, check_header, migrate, migrations, oldest_code
from pipeline.store.snapshot import reading
from pipeline.text.cjk import words

QUERIES: Final = 50  # golden ones, of a library that has as many words
STRIDE: Final = 5  # of the documents that queries are drawn from: four of each
IDS_MOST: Final = 20  # that a golden query names; the rest it counts
TOTAL_MOST: Final = 10_000
TEXT_CHARACTERS: Final = 4000  # of a document that words are drawn from
WORD_CHARACTERS: Final = 40
SPACELESS_DOCUMENTS: Final = 5  # Chinese, Japanese, Korean, Thai: words that are found in another way
STRANGERS_MOST: Final = 10
# SQLite's own, which come and go: AUTOINCREMENT's numbers and the planner's statistics.
_INDEXED: Final = "search_docsize"  # a row for each item that the full-text index knows
_INTERNAL: Final = ("sqlite_sequence", "sqlite_stat1", "sqlite_stat4")


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase drawn from the library, with what the full-text index finds for it."""

    phrase: Annotated[str, msgspec.Meta(max_length=400)]  # as FTS5 takes it, folded and quoted
    total: int  # counted up to TOTAL_MOST
    items: tuple[int, ...]  # the first by id


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Of a database of Atlas."""

    application_id: int
    schema: int
    oldest_code: int
    items: Mapping[str, int]  # by state; deleted ones under `deleted`
    tables: Mapping[str, int]  # rows of each
    golden: tuple[Golden, ...]


def gather(path: Path) -> Evidence:
    """Of the library in a file that nobody writes. Reads every table. Raises StoreError."""
    with reading(path) as conn:
        return _evidence(conn, tuple(_phrases(conn)))


def differences(path: Path, expected: Evidence) -> tuple[str, ...]:
    """In what the library in a file differs from what was noted of it; nothing when in nothing. Raises StoreError."""
    with reading(path) as conn:
        found = _evidence(conn, tuple(golden.phrase for golden in expected.golden))
    return tuple(_differences(found, expected))


def strangers(path: Path, database: str) -> tuple[str, ...]:
    """What is in the schema of a file that the migrations of `atlas` or `archive` do not make, or is missing there.

    A file of a later schema than ours is not compared. Raises StoreError for one that is none of Atlas.
    """
    with reading(path) as conn:
        check_header(conn)
        version = int(conn.pragma("user_version"))
        if int(conn.pragma("application_id")) != APPLICATION_ID:
            return ("it is empty: there is no schema of Atlas in it",)
        if version > SCHEMA_VERSION:
            return ()
        found = _schema(conn)
    steps = [step for step in migrations(database) if step.number <= version]
    with contextlib.closing(apsw.Connection(":memory:")) as model:
        migrate(model, steps)
        wanted = _schema(model)
    told = [f"{kind} {name} is unknown to Atlas" for kind, name in found if (kind, name) not in wanted]
    told += [f"{kind} {name} is missing" for kind, name in wanted if (kind, name) not in found]
    told += [
        f"{kind} {name} is not as Atlas makes it"
        for (kind, name), sql in found.items()
        if wanted.get((kind, name), sql) != sql
    ]
    return tuple(told[:STRANGERS_MOST])


def referenced(path: Path) -> Iterator[str]:
    """The hashes of the bodies that the library in a file refers to, each once, in order."""
    with reading(path) as conn:
        for (body,) in conn.execute("SELECT DISTINCT body FROM captures ORDER BY body"):
            yield rows.text(body)


def _evidence(conn: apsw.Connection, phrases: Iterable[str]) -> Evidence:
    check_header(conn)
    by_state = conn.execute("SELECT iif(deleted_at IS NULL, state, 'deleted') AS s, count(*) FROM items GROUP BY s")
    return Evidence(
        application_id=int(conn.pragma("application_id")),
        schema=int(conn.pragma("user_version")),
        oldest_code=oldest_code(conn),
        items={rows.text(state): rows.integer(n) for state, n in by_state},
        tables={name: rows.integer(conn.execute(f'SELECT count(*) FROM "{name}"').get) for name in _tables(conn)},
        golden=tuple(_golden(conn, phrase) for phrase in phrases),
    )


def _differences(found: Evidence, expected: Evidence) -> Iterator[str]:
    for what in ("application_id", "schema", "oldest_code"):
        if getattr(found, what) != getattr(expected, what):
            yield f"{what} is {getattr(found, what)}, and {getattr(expected, what)} was noted"
    for what in ("items", "tables"):
        counted, noted = getattr(found, what), getattr(expected, what)
        for name in sorted(counted.keys() | noted.keys()):
            if counted.get(name, 0) != noted.get(name, 0):
                yield f"{what} {name}: {counted.get(name, 0):,}, and {noted.get(name, 0):,} were noted"
    for each, noted in zip(found.golden, expected.golden, strict=True):
        if each != noted:
            yield f"a search for {noted.phrase} finds {each.total:,} items, not the {noted.total:,} that were noted"


# The schema


def _tables(conn: apsw.Connection) -> list[str]:
    """Of the schema, without SQLite's own and those inside a full-text index; all names are plain words."""
    sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND sql LIKE 'CREATE TABLE%'"
    names = [rows.text(name) for (name,) in conn.execute(sql + " ORDER BY name")]
    return [name for name in names if name.isidentifier() and (not name.startswith("search_") or name == _INDEXED)]


def _schema(conn: apsw.Connection) -> dict[tuple[str, str], str]:
    """Kind and name → what it is made by, without comments and spaces, which may have changed since."""
    found = {}
    for kind, name, sql in conn.execute("SELECT type, name, sql FROM sqlite_schema"):
        text = re.sub(r"--[^\n]*", "", sql if isinstance(sql, str) else "")
        text = re.sub(r"\s+", "", text)
        if kind == "table" and rows.text(name).startswith("search_") and text.startswith("CREATETABLE"):
            text = "CREATETABLE"  # inside a full-text index: made by SQLite, in the words of its release
        found[rows.text(kind), rows.text(name)] = text
    return {key: sql for key, sql in found.items() if key[0] != "table" or key[1] not in _INTERNAL}


# Golden queries


def _golden(conn: apsw.Connection, phrase: str) -> Golden:
    matching = "SELECT rowid FROM search WHERE search MATCH ?"
    total = conn.execute(f"SELECT count(*) FROM ({matching} LIMIT {TOTAL_MOST})", (phrase,)).get
    first = conn.execute(f"{matching} ORDER BY rowid LIMIT {IDS_MOST}", (phrase,))
    return Golden(phrase=phrase, total=rows.integer(total), items=tuple(rows.integer(item) for (item,) in first))


def _phrases(conn: apsw.Connection) -> Iterator[str]:
    """A word and a phrase each of documents from all over the library, in the index's own spelling."""
    drawn: dict[str, None] = {}
    for text in _texts(conn):
        seen = words(text)
        for at in (len(seen) // 3, 2 * len(seen) // 3):
            word = max((each for each in seen[at : at + 20] if len(each) <= WORD_CHARACTERS), key=len, default="")
            phrase = [each for each in seen[at : at + 3] if len(each) <= WORD_CHARACTERS]
            drawn |= dict.fromkeys(f'"{each}"' for each in (word, " ".join(phrase)) if each)
        if len(drawn) >= QUERIES:
            break
    yield from list(drawn)[:QUERIES]


def _texts(conn: apsw.Connection) -> Iterator[str]:
    columns = f"SELECT substr(d.text, 1, {TEXT_CHARACTERS}) FROM documents d JOIN items i ON i.id = d.item_id"
    where = "WHERE i.deleted_at IS NULL AND d.text <> ''"
    spaceless = "AND substr(d.language, 1, 2) IN ('zh', 'ja', 'ko', 'th')"
    for (text,) in conn.execute(f"{columns} {where} {spaceless} LIMIT {SPACELESS_DOCUMENTS}").fetchall():
        yield rows.text(text)
    first, last = conn.execute("SELECT coalesce(min(item_id), 1), coalesce(max(item_id), 0) FROM documents").get
    # Some suffice mostly, so those that are far from each other come first.
    for n in (n for offset in range(STRIDE) for n in range(offset, QUERIES, STRIDE)):
        start = first + (last - first) * n // QUERIES
        sql = f"{columns} {where} AND d.item_id >= ? ORDER BY d.item_id LIMIT 1"
        for (text,) in conn.execute(sql, (start,)).fetchall():
            yield rows.text(text)
