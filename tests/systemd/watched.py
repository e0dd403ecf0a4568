"""People who go on using Atlas while something is done to it: one looks at /health, others save."""

from __future__ import annotations

import http.client
import os
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.systemd.installed import Installed, Reply

SLOW_SECONDS = 2.0  # a look that takes longer has found it down
BUSY_SECONDS = 8.0  # ... on a machine on which others compute as well: a start takes as long as they let it
BUSY_LOAD = 2.0  # a core
PAUSE_SECONDS = 0.05
AGAIN_SECONDS = 60.0  # for which a person tries again to save


@dataclass
class Seen:
    """What they met. Moments are of the monotonic clock."""

    looks: int = 0
    down: list[tuple[float, str]] = field(default_factory=list)  # /health refused, 5xx, or slower than 2 s
    kept: list[str] = field(default_factory=list)  # the ids of what was answered 2xx
    given_up: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def outage(self) -> float:
        """Seconds from the first look that found it down to the last."""
        return self.down[-1][0] - self.down[0][0] if self.down else 0.0


class Watched:
    """Within the block they are at it; `seen` is whole after it."""

    def __init__(self, machine: Installed, *, savers: int = 2, prefix: str = "watched") -> None:
        self.seen = Seen()
        self._machine = machine
        self._prefix = prefix
        self._stop = threading.Event()
        self._lock = threading.Lock()
        jobs = [self._look, *[self._save] * savers]
        self._threads = [threading.Thread(target=self._run, args=(job, n)) for n, job in enumerate(jobs)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(AGAIN_SECONDS + 10)

    def _run(self, job, number: int) -> None:
        self._machine.enter_network()
        job(number)

    def _look(self, _number: int) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            found = self._health()
            took = time.monotonic() - begun
            self.seen.looks += 1
            self.seen.slowest = max(self.seen.slowest, took)
            if not isinstance(found, Reply) or found.status >= 500 or took > _slow():
                at = time.strftime("%H:%M:%S", time.gmtime())
                told = f"{found.status}" if isinstance(found, Reply) else f"{type(found).__name__}: {found}"
                self.seen.down.append((begun, f"{told} after {took:.2f} s, until {at}"))
            self._stop.wait(PAUSE_SECONDS)

    def _health(self) -> Reply | Exception:
        """An empty reply is asked for once more, as every proxy and browser does with a GET."""
        found: Reply | Exception = Reply(0, "")
        for _ in range(2):
            try:
                return self._machine.request("GET", "/health", seconds=2 * BUSY_SECONDS)
            except http.client.RemoteDisconnected as error:
                found = error
            except (OSError, http.client.HTTPException) as error:
                return error
        return found

    def _save(self, number: int) -> None:
        n = 0
        while not self._stop.is_set():
            n += 1
            url = f"https://example.org/{self._prefix}/{number}/{n}"
            uid = self._kept(url)
            with self._lock:
                (self.seen.kept if uid else self.seen.given_up).append(uid or url)
            self._stop.wait(PAUSE_SECONDS)

    def _kept(self, url: str) -> str | None:
        """Saved again until it is answered: the same address is the same item."""
        deadline = time.monotonic() + AGAIN_SECONDS
        while time.monotonic() < deadline:
            try:
                reply = self._machine.request("POST", "/api/v1/items", {"url": url}, seconds=10)
            except (OSError, http.client.HTTPException):
                reply = Reply(0, "")
            if reply.status in {200, 202}:
                return str(reply.body["id"])
            threading.Event().wait(0.2)
        return None


def _slow() -> float:
    is_busy = os.getloadavg()[0] > BUSY_LOAD * (os.cpu_count() or 1)
    return BUSY_SECONDS if is_busy else SLOW_SECONDS
