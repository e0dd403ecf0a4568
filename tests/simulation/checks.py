"""What must hold at any moment of the world, asked of the database itself by a connection that belongs to nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import apsw
import msgspec
import trio

from pipeline.items import Reason
from stages.fallback.leisure import may_pass
from tests.simulation.roles import CONFIG, FALLBACK_SECONDS, Service, Surroundings

READY_SECONDS = 3600.0  # how long a row may wait to be claimed while a worker is up
DUE_SECONDS = 2 * FALLBACK_SECONDS + 60.0  # how long one that is due may be overslept
WAIT_SECONDS = 86_400.0 + 600.0  # the longest wait that is ever decided, and its spread
LEASE_SLACK_SECONDS = CONFIG.queue.lease_seconds / 3 + 60.0
CLOCK_JUMP_MS = 3_600_000

_MOMENT = """
    SELECT 'accepted is not done + duplicate + dead + in flight + deleted: ' || t.n || ' and ' || c.n
        FROM (SELECT n FROM totals WHERE name = 'accepted') t, (SELECT sum(n) AS n FROM counts) c WHERE t.n <> c.n
    UNION ALL SELECT 'in flight without work, or at rest with it: ' || i.uid || ' ' || i.state FROM items i
        LEFT JOIN work w ON w.item_id = i.id WHERE i.deleted_at IS NULL
        AND (w.id IS NULL) <> (i.state IN ('done', 'duplicate', 'dead'))
    UNION ALL SELECT 'item and work disagree: ' || i.uid || ' ' || i.state || ' ' || w.state FROM work w
        JOIN items i ON i.id = w.item_id WHERE i.state <> w.state
    UNION ALL SELECT 'waits without a reason: ' || i.uid FROM work w JOIN items i ON i.id = w.item_id
        WHERE w.state = 'waiting' AND i.reason IS NULL
    UNION ALL SELECT 'dead without a reason: ' || uid FROM items WHERE state = 'dead' AND reason IS NULL
    UNION ALL SELECT 'more attempts than the policy has: ' || item_id || ' ' || attempts FROM work
        WHERE attempts >= :attempts
    UNION ALL SELECT 'more crashes than the policy has: ' || item_id FROM work WHERE crashes >= :crashes
    UNION ALL SELECT 'waits for longer than anybody decides: ' || w.item_id || ' ' || (w.due_at - :now) FROM work w
        WHERE w.state = 'waiting' AND w.due_at > :now + :longest
"""
# While a worker is up, and has been for as long as the limits are.
_PACE = """
    SELECT 'ready for too long: ' || coalesce(item_id, 'poll') || ' at ' || stage FROM work
        WHERE state = 'ready' AND max(due_at, entered_at) < :now - :ready
    UNION ALL SELECT 'overslept: ' || coalesce(item_id, 'poll') || ' by ' || (:now - due_at) FROM work
        WHERE state = 'waiting' AND due_at < :now - :due
    UNION ALL SELECT 'a lease without a holder: ' || coalesce(item_id, 'poll') FROM work
        WHERE state = 'leased' AND (lease_boot <> :boot OR lease_until < :monotonic - :slack)
"""
_EFFECTS = """
    SELECT 'done without a search row: ' || i.uid FROM items i WHERE i.state = 'done' AND i.deleted_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM search_docsize d WHERE d.id = i.id)
    UNION ALL SELECT 'a search row of what is not kept: ' || d.id FROM search_docsize d LEFT JOIN items i ON i.id = d.id
        WHERE i.id IS NULL OR i.deleted_at IS NOT NULL OR (i.state <> 'done' AND i.kept IS NULL)
    UNION ALL SELECT 'done without a document: ' || i.uid FROM items i WHERE i.state = 'done'
        AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id)
    UNION ALL SELECT 'done more often than begun: ' || item_id FROM steps GROUP BY item_id
        HAVING sum(code = 590) > 1 + sum(
            method IN ('requeued', 'refreshed', 'replayed') AND code IN (50, 110, 200, 300, 400, 500))
    UNION ALL SELECT 'two items for one address: ' || url_key FROM items WHERE url_key IS NOT NULL
        GROUP BY url_key HAVING count(*) > 1
"""

_DEAD = "SELECT uid, url, reason FROM items WHERE state = 'dead' AND url IS NOT NULL AND deleted_at IS NULL"
_LEFT = """
    SELECT i.uid, w.state, w.stage, w.attempts, w.due_at, i.reason FROM work w JOIN items i ON i.id = w.item_id LIMIT 5
"""


class Checks:
    """Everything found wrong is in `faults`, each kind once."""

    def __init__(self, around: Surroundings, service: Service) -> None:
        self._around = around
        self._service = service
        self.conn = apsw.Connection(str(around.folder / "atlas.db"), flags=apsw.SQLITE_OPEN_READONLY)
        self.faults: list[str] = []
        self.made = 0

    def close(self) -> None:
        self.conn.close()

    def moment(self, acknowledged: Collection[str], *, paced: bool = True) -> None:
        """All that must hold now; `paced` when nothing keeps the worker from its work."""
        self.made += 1
        found = list(self._of(_MOMENT))
        if paced:
            found += self._of(_PACE)
        known = {uid for (uid,) in self.conn.execute("SELECT uid FROM items")}
        found += [f"acknowledged and lost: {uid}" for uid in sorted(set(acknowledged) - known)[:3]]
        self._keep(found)

    def effects(self) -> None:
        self.made += 1
        self._keep(list(self._of(_EFFECTS)))

    def end(self) -> None:
        """What must hold when the world has come to rest."""
        self.effects()
        found = [f"still in flight: {row}" for row in self.conn.execute(_LEFT)]
        found += self._given_up_too_soon()
        for name in ("atlas.db", "archive.db"):
            found += self._sound(self._around.folder / name)
        self._keep(found)

    def _given_up_too_soon(self) -> Iterator[str]:
        """Items of sites that are up again within the days for which one is tried: each must have been had."""
        seconds = CONFIG.acquire.give_up_days * 86_400
        for uid, url, reason in self.conn.execute(_DEAD):
            site = self._around.network.hosts[urlsplit(str(url)).netloc]
            if site.heals_within(seconds) and may_pass(msgspec.json.decode(str(reason), type=Reason)):
                yield f"given up although its site healed: {uid} {url} {reason}"

    def _sound(self, path: Path) -> list[str]:
        conn = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        said: list[str] = []
        try:
            said += [f"{path.name} is damaged: {word}" for (word,) in conn.execute("PRAGMA integrity_check(5)")]
            said.remove(f"{path.name} is damaged: ok")
            said += [f"foreign key: {row}" for row in conn.execute("PRAGMA foreign_key_check")]
            if path.name == "atlas.db":
                conn.execute("INSERT INTO search (search) VALUES ('integrity-check')")
        except (apsw.CorruptError, ValueError) as error:
            said.append(f"{path.name} is damaged: {error}")
        conn.close()
        return said

    def _of(self, query: str) -> Iterator[str]:
        clock = self._around.clock
        bound = {
            "now": clock.wall_ms(), "monotonic": clock.monotonic(), "boot": self._service.boot,
            "attempts": CONFIG.retry.attempts, "crashes": CONFIG.retry.crashes,
            "longest": WAIT_SECONDS * 1000 + CLOCK_JUMP_MS, "slack": LEASE_SLACK_SECONDS,
            "ready": READY_SECONDS * 1000 + CLOCK_JUMP_MS, "due": DUE_SECONDS * 1000 + CLOCK_JUMP_MS,
        }  # fmt: skip
        names = {name: value for name, value in bound.items() if f":{name}" in query}
        for (said,) in self.conn.execute(query, names):
            yield str(said)

    def _keep(self, found: list[str]) -> None:
        kinds = {fault.partition(":")[0] for fault in self.faults}
        for said in found:
            kind = f"{said.partition(':')[0]}"
            if kind not in kinds and len(self.faults) < 20:
                kinds.add(kind)
                self.faults.append(f"{said} (day {trio.current_time() / 86_400:.4f})")
