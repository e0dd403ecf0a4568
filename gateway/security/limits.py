"""How often: leaky buckets per caller, in a bounded table, refusing instead of waiting."""

from __future__ import annotations

from collections import OrderedDict

from aiolimiter import AsyncLimiter

from pipeline.errors import RateLimited

MAX_BUCKETS = 10_000  # about 5 MB when full; the one unused for longest goes first


class Buckets:
    """One bucket of `rate` in `seconds` for each key."""

    def __init__(self, rate: float, seconds: float, *, what: str) -> None:
        self._rate = rate
        self._seconds = seconds
        self._what = what
        self._buckets: OrderedDict[str, AsyncLimiter] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def check(self, key: str) -> None:
        """Raises RateLimited when `key` has used up its share; takes nothing."""
        bucket = self._buckets.get(key)
        if bucket is not None and not bucket.has_capacity():
            raise RateLimited(
                f"Too many {self._what}.",
                retry_after=self._seconds / self._rate,
                hint="Wait for the time that Retry-After names.",
            )

    async def spend(self, key: str) -> None:
        """Take one, or raise RateLimited. Does not wait: with room in the bucket `acquire` returns at once."""
        self.check(key)
        bucket = self._buckets.pop(key, None) or AsyncLimiter(self._rate, self._seconds)
        self._buckets[key] = bucket
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        await bucket.acquire()
