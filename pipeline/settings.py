"""Settings of the store, the queue and the retries."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[database]"""

    path: str = "atlas.db"  # relative to the data folder
    archive_path: str = "archive.db"
    pool_size: Positive = 4  # read connections of a process
    synchronous: Literal["full", "normal"] = "full"  # normal loses acknowledged saves at a power cut
    busy_timeout_ms: Positive = 5000
    # Kept free on the disk: below the larger of the two nothing new is taken in. At most a fifth of the disk.
    reserve_mib: NotNegative = 1024
    reserve_percent: Annotated[float, msgspec.Meta(ge=0, le=20)] = 5.0


class QueueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[queue]"""

    max_size: Positive = 1000  # ready + leased; past it a save is accepted at stage 50
    max_backlog: Positive = 100_000  # all that is in flight; past it the API answers 503
    lease_seconds: Seconds = 120.0
    forward_seconds: Seconds = 30.0  # how long a finished item waits for room in the next mailbox


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[breaker]: for each host and each provider"""

    failures: Positive = 5  # in a row; then nobody asks for a while
    open_seconds: Seconds = 60.0  # the first time, then doubled up to the cap
    cap_seconds: Seconds = 3600.0
    successes: Positive = 2  # good probes in a row until it is trusted again


class RetrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[retry]"""

    attempts: Positive = 6  # tries at one stage before the item is buried
    base_seconds: Seconds = 10.0  # the first back-off is drawn from 0 to this, then doubled
    cap_seconds: Seconds = 21_600.0
    crashes: Positive = 3  # worker deaths with the item in hand before it is buried as poison
