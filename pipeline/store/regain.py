"""Bringing back what was accepted since a backup, into the library that was restored from it, before anybody opens it.

Each line of the export goes through the rules of accepting, so that what is there already is there once. Not the
pipeline's way in: ids and times stay what they were, for programs know them.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, assert_never

import apsw
import msgspec
import zstandard

from pipeline import errors
from pipeline.clock import Clock
from pipeline.ids import Random, new_uid
from pipeline.items import Capture, Kind, Submission, note_capture
from pipeline.lifecycle import State
from pipeline.settings import DatabaseSettings, QueueSettings
from pipeline.store import endings, intake, rows, search
from pipeline.store.bodies import LEVEL
from pipeline.store.connection import ARCHIVE_CACHES, ATLAS_CACHES, READ_WRITE, Caches, mapped, prepare_writer
from pipeline.store.migrate import check_header, migrate, migrations
from pipeline.store.since import FollowedSince, Line, MarkedSince, Marks, SavedSince, TokenRow
from pipeline.store.snapshot import sync
from pipeline.text.urls import canonicalise

DOUBTS_MOST: Final = 20


class Regained(msgspec.Struct, frozen=True, kw_only=True):
    """What was brought back. `schema` is what the library has now, which may be later than the backup's."""

    lines: int
    failed: int
    schema: int
    doubts: tuple[str, ...]


def regain(
    library: Path,
    archive: Path,
    lines: Iterable[Line],
    *,
    tokens: tuple[TokenRow, ...] | None,
    totals: Mapping[str, int],
    database: DatabaseSettings,
    queue: QueueSettings,
    clock: Clock,
    random: Random,
) -> Regained:
    """Bring the library to the schema of this code, and `lines` into it; both files are synced when it returns.

    Nobody else may have them open. `tokens` take the place of those that are there, unless they are None; `totals` are
    what monitors are told of backups. Raises StoreError; a line that cannot be brought back is a doubt told.
    """
    # What was accepted once is not refused now.
    queue = msgspec.structs.replace(queue, max_backlog=sys.maxsize)
    with mapped(f"bring back into {library.name}"), contextlib.ExitStack() as stack:
        conn = stack.enter_context(contextlib.closing(_opened(library, "atlas", database, ATLAS_CACHES)))
        bodies = stack.enter_context(contextlib.closing(_opened(archive, "archive", database, ARCHIVE_CACHES)))
        conn.pragma("synchronous", "OFF")  # it is nobody's yet, and synced in the end
        work = _Work(conn, bodies, queue, clock, random)
        for line in lines:
            work.take(line)
        conn.execute("BEGIN IMMEDIATE")
        if tokens is not None:
            _replace_tokens(conn, tokens)
        conn.executemany("INSERT OR REPLACE INTO totals (name, n) VALUES (?, ?)", tuple(totals.items()))
        conn.execute("COMMIT")
        schema = int(conn.pragma("user_version"))
    for path in (library, archive):
        sync(path)
    return Regained(lines=work.done, failed=work.failed, schema=schema, doubts=tuple(work.doubts))


def _opened(path: Path, name: str, settings: DatabaseSettings, caches: Caches) -> apsw.Connection:
    conn = apsw.Connection(str(path), flags=READ_WRITE)
    conn.set_busy_timeout(settings.busy_timeout_ms)
    check_header(conn)
    prepare_writer(settings, caches)(conn)
    migrate(conn, migrations(name))
    return conn


class _Work:
    """The two files being written."""

    def __init__(
        self, conn: apsw.Connection, bodies: apsw.Connection, queue: QueueSettings, clock: Clock, random: Random
    ) -> None:
        self._conn = conn
        self._bodies = bodies
        self._queue = queue
        self._clock = clock
        self._random = random
        self.done = self.failed = 0
        self.doubts: list[str] = []

    def take(self, line: Line) -> None:
        """One line, in a transaction of its own."""
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            self._take(line)
            self._conn.execute("COMMIT")
        except (errors.InvalidInput, errors.NotFound, apsw.ConstraintError) as error:
            self._conn.execute("ROLLBACK")
            self.failed += 1
            if len(self.doubts) < DOUBTS_MOST:
                self.doubts.append(f"{_name(line)} could not be brought back: {error}")
        else:
            self.done += 1

    def _take(self, line: Line) -> None:
        match line:
            case SavedSince():
                self._save(line)
            case MarkedSince():
                item_id = self._conn.execute("SELECT id FROM items WHERE uid = ?", (line.uid,)).get
                if item_id is None:
                    raise errors.NotFound(f"there is no item {line.uid}")
                self._mark(rows.integer(item_id), line.uid, line.marks)
                self._save_again(rows.integer(item_id), line.raised_at)
            case FollowedSince():
                self._follow(line)
            case _:
                assert_never(line)

    def _save(self, line: SavedSince) -> None:
        now = line.saved_at or self._clock.wall_ms()
        uid = line.uid or new_uid(now, self._random)
        if self._conn.execute("SELECT 1 FROM items WHERE uid = ?", (uid,)).get is not None:
            return  # brought back before
        submission = Submission(
            url=line.url,
            url_key=None if line.kind is Kind.NOTE else canonicalise(line.url or ""),
            kind=line.kind,
            title=line.title,
            text=line.text,
            tags=line.marks.tags or (),
            priority=line.priority,
            source=line.source,
        )
        note = None if line.kind is Kind.PAGE else self._keep_note(line.text or "", uid, now)
        asked = intake.Intake(submission=submission, uid=uid, now=now, limits=self._queue, note=note)
        accepted = intake.accept(self._conn, asked)
        if accepted.created:
            raised = line.raised_at or now
            self._conn.execute("UPDATE items SET raised_at = ? WHERE id = ?", (raised, accepted.item_id))
            self._set_flags(accepted.item_id, line.marks)
        self._conn.executemany(
            "INSERT OR IGNORE INTO idempotency (key, request_hash, item_id, created_at) VALUES (?, ?, ?, ?)",
            [(each.key, each.request_hash, accepted.item_id, each.created_at) for each in line.keys],
        )

    def _keep_note(self, text: str, uid: str, now: int) -> Capture:
        content = text.encode()
        digest = hashlib.sha256(content).hexdigest()
        # On the disk before anything refers to it: this connection commits by itself.
        self._bodies.execute(
            "INSERT OR IGNORE INTO bodies (hash, size, stored_at, data) VALUES (?, ?, ?, ?)",
            (digest, len(content), now, zstandard.ZstdCompressor(level=LEVEL).compress(content)),
        )
        return note_capture(uid, digest, size=len(content), at=now)

    def _mark(self, item_id: int, uid: str, marks: Marks) -> None:
        """As it was in the end: what was deleted stays deleted."""
        now = self._clock.wall_ms()
        self._set_flags(item_id, marks)
        if marks.tags is not None:
            self._conn.execute("DELETE FROM tags WHERE item_id = ?", (item_id,))
            intake.add_tags(self._conn, item_id, marks.tags)
        was_deleted, state = self._conn.execute(
            "SELECT deleted_at IS NOT NULL, state FROM items WHERE id = ?", (item_id,)
        ).get
        if marks.deleted_at is not None and not was_deleted:
            endings.delete(self._conn, item_id, uid, now)
            return
        if marks.deleted_at is None and was_deleted:
            intake.undelete(self._conn, item_id, now)
            if state != State.DONE:
                intake.requeue(self._conn, item_id, now, self._queue)
        if marks.deleted_at is None and state == State.DONE:
            search.index(self._conn, item_id)

    def _save_again(self, item_id: int, raised_at: int | None) -> None:
        """What had failed and was saved again is tried again: that, too, was accepted."""
        if raised_at is None:
            return
        self._conn.execute("UPDATE items SET raised_at = ? WHERE id = ?", (raised_at, item_id))
        state, deleted_at = self._conn.execute("SELECT state, deleted_at FROM items WHERE id = ?", (item_id,)).get
        is_over = state == State.DEAD or (state == State.DUPLICATE and intake.original(self._conn, item_id) is None)
        if is_over and deleted_at is None:
            intake.requeue(self._conn, item_id, self._clock.wall_ms(), self._queue)

    def _set_flags(self, item_id: int, marks: Marks) -> None:
        self._conn.execute(
            "UPDATE items SET read_at = ?, starred_at = ?, archived_at = ? WHERE id = ?",
            (marks.read_at, marks.starred_at, marks.archived_at, item_id),
        )

    def _follow(self, line: FollowedSince) -> None:
        self._conn.execute(
            """INSERT INTO feeds (uid, url, url_key, title, interval_seconds, next_poll_at, created_at)
               VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (url_key) DO NOTHING""",
            (
                line.uid,
                line.url,
                line.url_key,
                line.title,
                line.interval_seconds,
                self._clock.wall_ms(),
                line.created_at,
            ),
        )


def _name(line: Line) -> str:
    match line:
        case SavedSince():
            return line.url or f"the note {line.uid}"
        case MarkedSince():
            return f"the marks of {line.uid}"
        case FollowedSince():
            return f"the feed {line.url}"
        case _:
            assert_never(line)


def _replace_tokens(conn: apsw.Connection, tokens: tuple[TokenRow, ...]) -> None:
    names = TokenRow.__struct_fields__
    conn.execute("DELETE FROM tokens")
    conn.executemany(
        f"INSERT INTO tokens ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        [tuple(getattr(token, name) for name in names) for token in tokens],
    )
