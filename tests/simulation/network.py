"""The network: names, connections and bytes in memory. The product's HTTP client speaks real HTTP/1.1 over it.

It knows what was asked when, and judges good manners from its own side of the wire.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpcore2
import trio

from pipeline.breaker import BreakerState
from pipeline.errors import AtlasError, ConnectFailed, FetchTimeout
from stages.net.backend import GuardedBackend
from stages.net.breakers import Breakers
from stages.net.stream import Stream
from tests.simulation.clock import WorldClock
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.hosts import Host

NETWORK: ContextVar[Network] = ContextVar("NETWORK")


class Pause:
    """Nothing for so long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Reset:
    """The connection breaks."""


Act = bytes | Pause | Reset
FOREVER = Pause(float("inf"))


class Held:
    """A Retry-After that a host gave, on both clocks."""

    def __init__(self, seconds: float, at: float, wall: int) -> None:
        self.seconds = seconds
        self.at = at
        self.wall = wall


class Network:
    def __init__(self, hosts: dict[str, Host], clock: WorldClock, trace: Trace) -> None:
        self.hosts = hosts
        self.clock = clock
        self.trace = trace
        self.is_down = False
        self.breakers: Breakers | None = None  # of the worker that lives
        self.faults: list[str] = []
        self.requests = 0
        self._held: dict[str, Held] = {}
        self._probes: Counter[str] = Counter()

    async def resolve(self, host: str, _port: int) -> Sequence[str]:
        there = self.hosts.get(host)
        if self.is_down or there is None or there.nameless(self.clock.now()):
            await trio.sleep(0.3)
            raise OSError(f"no name server knows {host}")
        return (there.address,)

    def begin(self, host: str) -> bool:
        """A connection is about to be made: may it? Whether it is a probe."""
        self.requests += 1
        self.trace.note(self.clock.now(), "ask", host)
        self._check_hold(host)
        known = None if self.breakers is None else self.breakers._known.get(f"host:{host}")
        if known is None or known.state is BreakerState.CLOSED:
            return False
        if known.state is BreakerState.OPEN and (known.opened_at or 0) < self.clock.wall_ms():
            self.faults.append(f"{host} was asked at {self.clock.now():.1f} while its breaker was open: {known}")
        if known.state is not BreakerState.HALF_OPEN:
            return False
        if self._probes[host]:
            self.faults.append(f"{host} got two probes at once at {self.clock.now():.1f}")
        self._probes[host] += 1
        return True

    def end(self, host: str) -> None:
        """A probe is over."""
        self._probes[host] -= 1

    def hold(self, host: str, seconds: float) -> None:
        """The host has said Retry-After."""
        self._held[host] = Held(min(seconds, 86_400.0), self.clock.now(), self.clock.wall_ms())

    def forget(self, *, since: float) -> None:
        """The worker has died: what it learned that late it may not have written down."""
        self._held = {host: held for host, held in self._held.items() if held.at < since}
        self._probes.clear()

    def _check_hold(self, host: str) -> None:
        held = self._held.get(host)
        if held is None or held.at >= self.clock.now():
            return
        waited = max(self.clock.now() - held.at, (self.clock.wall_ms() - held.wall) / 1000)
        if waited < held.seconds - 0.01:
            self.faults.append(
                f"{host} wanted {held.seconds:g} s of quiet and was asked after {waited:.1f} at {self.clock.now():.1f}"
            )
        del self._held[host]


class SimulatedBackend(GuardedBackend):
    """The product's backend, with the dialling alone replaced: look-up, guard and deadlines are its own."""

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: object, **__: object) -> Stream:
        network = NETWORK.get()
        is_probe = network.begin(host)
        seconds = 10.0 if timeout is None else timeout
        try:
            with trio.move_on_after(seconds):
                addresses = await self._resolve(host, port)
                self._guard.check(host, addresses)
                await self._reach(network, host)
                return Stream(Transport(network, host, is_probe=is_probe), trio.current_time() + seconds)  # type: ignore[arg-type]
            raise FetchTimeout(f"{host} did not answer the connection within {seconds:g} s")
        except AtlasError as error:
            if is_probe:
                network.end(host)
            raise httpcore2.ConnectError(error) from error
        except BaseException:
            if is_probe:
                network.end(host)
            raise

    async def _reach(self, network: Network, host: str) -> None:
        there = network.hosts[host]
        if there.silent(network.clock.now()):
            await trio.sleep_forever()
        await trio.sleep(there.distance)
        if network.is_down or there.refuses(network.clock.now()):
            raise ConnectFailed(f"{host} cannot be connected to")


class _Socket:
    def is_readable(self) -> bool:
        return False


class Transport:
    """One connection, for one request: every host closes it then."""

    def __init__(self, network: Network, host: str, *, is_probe: bool) -> None:
        self.socket = _Socket()
        self._network = network
        self._host = host
        self._is_probe = is_probe
        self._asked = b""
        self._acts: list[Act] | None = None

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._asked += bytes(data)
        if self._acts is None and b"\r\n\r\n" in self._asked:
            target = self._asked.split(b" ", 2)[1].decode()
            self._acts = list(self._network.hosts[self._host].answer(target, self._network))

    async def receive_some(self, _most: int) -> bytes:
        await trio.lowlevel.checkpoint()
        while self._acts:
            if self._network.is_down:
                await trio.sleep_forever()
            act = self._acts.pop(0)
            if isinstance(act, Pause):
                await trio.sleep(act.seconds)
            elif isinstance(act, Reset):
                raise trio.BrokenResourceError("connection reset")
            else:
                return act
        return b""

    async def aclose(self) -> None:
        if self._is_probe:
            self._is_probe = False
            self._network.end(self._host)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
