"""What may pass by itself is tried again for days, ever more rarely, before an item is given up. Pure."""

from __future__ import annotations

from typing import Final

from pipeline.errors import (
    ArchiveAway,
    AtlasError,
    BreakerOpen,
    ConnectFailed,
    DnsFailed,
    FetchError,
    FetchTimeout,
    HttpStatus,
    ProtocolBroken,
    RateLimited,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreUnreadable,
    TlsFailed,
)
from pipeline.items import Reason

LEAST_SECONDS: Final = 300.0
MOST_SECONDS: Final = 21_600.0
_SHARE: Final = 0.5  # of the time that has passed: each wait is half as long again as all before it together
_PASSING: Final = frozenset(
    error.code
    for error in (
        BreakerOpen,
        ConnectFailed,
        DnsFailed,
        FetchError,
        FetchTimeout,
        ProtocolBroken,
        RateLimited,
        TlsFailed,
    )
) | {"network_down", "deadline"}
_OURS: Final = frozenset(
    error.code for error in (AtlasError, ArchiveAway, StoreBusy, StoreDamaged, StoreError, StoreFull, StoreUnreadable)
) | {"stalled"}
# Beside a server's own faults (5xx).
LATER: Final = frozenset({408, 423, 425, 429})


def is_ours(reason: Reason) -> bool:
    """Whether it is about Atlas alone: what was wrong with the site before is not known any more."""
    return reason.code in _OURS


def may_pass(reason: Reason) -> bool:
    """Whether trouble with a site may be over some day: it was down, not the page gone or refused."""
    if reason.code != HttpStatus.code:
        return reason.code in _PASSING
    status = reason.detail.removeprefix("HTTP ")[:3]
    return status.isdecimal() and (int(status) in LATER or int(status) >= 500)


def again_after(waited_seconds: float, *, give_up_days: float) -> float | None:
    """Seconds until the next try of an item that has waited for so long; None when it is to be given up."""
    if waited_seconds >= give_up_days * 86_400:
        return None
    return min(max(waited_seconds * _SHARE, LEAST_SECONDS), MOST_SECONDS)
