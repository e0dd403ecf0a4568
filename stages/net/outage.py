"""The network itself is down: told from failures at several hosts while nothing works for any. Pure.

No host is to blame then: what is asked for waits, at no attempt of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from pipeline.errors import NetworkDown

HOSTS: Final = 3  # that failed last, each another one
WINDOW_SECONDS: Final = 600.0  # within which they did
RETRY_SECONDS: Final = 60.0


class Outage:
    """One way in which hosts are reached, such as looking up names. Times are monotonic seconds."""

    def __init__(self, what: str) -> None:
        """`what` has failed, in words: "no name can be looked up"."""
        self._what = what
        self._failed: OrderedDict[str, float] = OrderedDict()  # the last HOSTS hosts, and when each failed last

    def worked(self) -> None:
        """It worked for some host: whatever failed before was that host's own trouble."""
        self._failed.clear()

    def failed(self, host: str, now: float) -> None:
        """It failed for a host. Raises NetworkDown when that is not the host's trouble."""
        self._failed[host] = now
        self._failed.move_to_end(host)
        if len(self._failed) > HOSTS:
            self._failed.popitem(last=False)
        if len(self._failed) == HOSTS and now - min(self._failed.values()) <= WINDOW_SECONDS:
            raise NetworkDown(
                f"the network is down: {self._what}, {host} among others",
                retry_after=RETRY_SECONDS,
                hint="Check this machine's connection and its name server; what waits goes on by itself.",
            )
