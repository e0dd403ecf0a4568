"""The bare loop that Atlas is measured beside, one process of it: fetch, parse, insert in batches, nothing durable."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw
import httpx2

from stages.parse.frames import Article, EnrichJob, ExtractJob, GlanceJob
from stages.parse.jobs import answer

BATCH: Final = 50
TODAY: Final = "2026-11-20"

Row = tuple[str, str | None, str, str, str]


def _database(path: Path) -> apsw.Connection:
    database = apsw.Connection(str(path))
    database.execute("PRAGMA journal_mode = wal")
    database.execute("PRAGMA synchronous = off")
    database.execute("CREATE TABLE documents (url TEXT, title TEXT, text TEXT, markdown TEXT, html TEXT)")
    database.execute("CREATE VIRTUAL TABLE search USING fts5 (title, text, content = '')")
    return database


def _store(database: apsw.Connection, rows: list[Row]) -> None:
    with database:
        for row in rows:
            database.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", row)
            number = database.last_insert_rowid()
            database.execute("INSERT INTO search (rowid, title, text) VALUES (?, ?, ?)", (number, row[1], row[2]))
    rows.clear()


def _rows(client: httpx2.Client, urls: list[str], *, all_calls: bool) -> Iterator[Row]:
    for url in urls:
        body = client.get(url).content
        if all_calls:
            answer(GlanceJob(content=body, url=url, media_type="text/html", charset="utf-8"))
        job = ExtractJob(content=body, url=url, media_type="text/html", charset="utf-8", today=TODAY)
        found = answer(job)
        assert isinstance(found, Article)
        document = found.document
        assert document is not None, url
        if all_calls:
            answer(EnrichJob(text=document.text, title=document.title, declared=document.language))
        yield url, document.title, document.text, document.markdown, document.html


def main() -> int:
    """Prints `ready` once warm, starts at a line on standard input, prints the seconds it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--site", required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--step", type=int, required=True)
    parser.add_argument("--pages", type=int, required=True)
    parser.add_argument("--warm", type=int, required=True, help="pages after the last one, read first and not counted")
    parser.add_argument("--all-calls", action="store_true", help="also the calls that Atlas makes to judge and enrich")
    options = parser.parse_args()
    database = _database(options.database)
    with httpx2.Client(trust_env=False) as client:
        warm = [f"{options.site}/p/{number}" for number in range(options.pages, options.pages + options.warm)]
        list(_rows(client, warm, all_calls=options.all_calls))
        print("ready", flush=True)
        sys.stdin.readline()
        begun = time.monotonic()
        urls = [f"{options.site}/p/{number}" for number in range(options.first, options.pages, options.step)]
        waiting: list[Row] = []
        for row in _rows(client, urls, all_calls=options.all_calls):
            waiting.append(row)
            if len(waiting) >= BATCH:
                _store(database, waiting)
        _store(database, waiting)
        print(f"took {time.monotonic() - begun:.3f}", flush=True)
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
