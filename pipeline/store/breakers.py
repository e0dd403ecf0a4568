"""`store.breakers`: circuit breakers and daily quotas, so that a restart forgets neither."""

from __future__ import annotations

from typing import cast

import apsw

from pipeline.breaker import Breaker, BreakerState
from pipeline.store import rows
from pipeline.store.ports import Db

QUOTA_DAYS = 7  # counts of earlier days are forgotten

_COLUMNS = "name, state, failures, successes, opens, opened_at, probe_at, reason"


class BreakerStore:
    """`store.breakers`"""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def all(self) -> tuple[Breaker, ...]:
        """Every breaker that has something to remember, by name."""
        return await self._db.read(_all)

    async def providers_open(self) -> tuple[str, ...]:
        """The names of providers that are left alone for now."""
        query = "SELECT substr(name, 10) FROM breakers WHERE name GLOB 'provider:*' AND state <> 'closed' ORDER BY name"
        return await self._db.read(lambda conn: tuple(rows.text(name) for (name,) in conn.execute(query)))

    async def save(self, breaker: Breaker) -> None:
        """Keep a breaker as it is now; one with nothing to remember is forgotten. Repeatable."""
        await self._db.write(lambda conn: _save(conn, breaker))

    async def spend(self, name: str, day: str, limit: int) -> bool:
        """Count one request against a daily limit; False when the day's are spent, and nothing is counted then.

        Counted before the request is sent: a crash in between costs one of the day's, never one too many.
        """
        return await self._db.write(lambda conn: _spend(conn, name, day, limit))

    async def used(self, name: str, day: str) -> int:
        """How many requests of that day were counted."""

        def job(conn: apsw.Connection) -> int:
            found = conn.execute("SELECT used FROM quotas WHERE name = ? AND day = ?", (name, day)).get
            return 0 if found is None else rows.integer(found)

        return await self._db.read(job)


def _all(conn: apsw.Connection) -> tuple[Breaker, ...]:
    return tuple(
        Breaker(
            name=rows.text(name),
            state=BreakerState(rows.text(state)),
            failures=rows.integer(failures),
            successes=rows.integer(successes),
            opens=rows.integer(opens),
            opened_at=cast("int | None", opened_at),
            probe_at=cast("int | None", probe_at),
            reason=rows.text(reason),
        )
        for name, state, failures, successes, opens, opened_at, probe_at, reason in conn.execute(
            f"SELECT {_COLUMNS} FROM breakers ORDER BY name"
        )
    )


def _save(conn: apsw.Connection, breaker: Breaker) -> None:
    if breaker.is_fresh:
        conn.execute("DELETE FROM breakers WHERE name = ?", (breaker.name,))
        return
    conn.execute(
        f"INSERT OR REPLACE INTO breakers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            breaker.name,
            breaker.state,
            breaker.failures,
            breaker.successes,
            breaker.opens,
            breaker.opened_at,
            breaker.probe_at,
            breaker.reason,
        ),
    )


def _spend(conn: apsw.Connection, name: str, day: str, limit: int) -> bool:
    found = conn.execute("SELECT used FROM quotas WHERE name = ? AND day = ?", (name, day)).get
    if found is None:
        conn.execute(
            """DELETE FROM quotas WHERE name = ? AND day NOT IN
                   (SELECT day FROM quotas WHERE name = ? ORDER BY day DESC LIMIT ?)""",
            (name, name, QUOTA_DAYS),
        )
    if (0 if found is None else rows.integer(found)) >= limit:
        return False
    conn.execute(
        "INSERT INTO quotas (name, day, used) VALUES (?, ?, 1) ON CONFLICT (name, day) DO UPDATE SET used = used + 1",
        (name, day),
    )
    return True
