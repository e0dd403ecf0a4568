"""When to try again: exponential back-off with full jitter, or give up. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pipeline.settings import RetrySettings
from pipeline.work import Bury, Retry

LONGEST_SECONDS = 86_400.0  # whatever a server asks for, an item is tried again within a day


def decide(retry: Retry, *, attempts: int, policy: RetrySettings, random: Callable[[], float]) -> Retry | Bury:
    """The same retry with its time decided, or a burial when `attempts` failed tries and this one are all there are.

    Full jitter (a delay drawn from 0 to base * 2^n) spreads the retries of items that failed together; see
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. A time that the server named wins over the draw.
    """
    if retry.costs_attempt and attempts + 1 >= policy.attempts:
        return Bury(reason=retry.reason)
    if retry.after is not None:
        return msgspec.structs.replace(retry, after=min(max(retry.after, 0.0), LONGEST_SECONDS))
    ceiling = min(policy.cap_seconds, policy.base_seconds * 2 ** min(attempts, 32))
    return msgspec.structs.replace(retry, after=random() * ceiling)
