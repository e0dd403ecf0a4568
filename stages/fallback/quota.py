"""Daily limits, counted durably before each query, so that neither a restart nor a crash asks one too many."""

from __future__ import annotations

import datetime as dt
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from pipeline.clock import Clock
from pipeline.errors import QuotaSpent

UTC: Final = dt.UTC


class Ledger(Protocol):
    """Where queries are counted: `store.breakers`."""

    async def spend(self, name: str, day: str, limit: int) -> bool: ...


class Quota:
    """One provider's limit a day, by the day of the provider's own time zone."""

    def __init__(self, name: str, per_day: int, *, ledger: Ledger, clock: Clock, zone: dt.tzinfo = UTC) -> None:
        self._name = name
        self._per_day = per_day
        self._ledger = ledger
        self._clock = clock
        self._zone = zone

    async def spend(self) -> None:
        """Count one query. Raises QuotaSpent with the time until the next day."""
        now = dt.datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._zone)
        if await self._ledger.spend(self._name, now.date().isoformat(), self._per_day):
            return
        tomorrow = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), self._zone)
        raise QuotaSpent(
            f"the {self._per_day} queries a day of {self._name} are used up",
            retry_after=(tomorrow.astimezone(UTC) - now.astimezone(UTC)).total_seconds() + 1,
            hint=f"`[fallback] {self._name}_per_day` says how many there are.",
        )


def pacific() -> dt.tzinfo:
    """Where Google's day begins. Without the zone's data eight hours behind UTC, which is never a day too early."""
    try:
        return ZoneInfo("America/Los_Angeles")
    except KeyError:  # ZoneInfoNotFoundError is one
        return dt.timezone(dt.timedelta(hours=-8))
