"""How connections are made: resolve once, check all answers, dial the address that was checked.

Between the check and the connection no name is looked up again, so a name cannot be rebound in the middle.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, NoReturn

import anyio.to_thread
import httpcore2
import trio

from pipeline.errors import AddressDenied, AtlasError, ConnectFailed, DnsFailed, FetchTimeout
from stages.net.guard import Guard, parse
from stages.net.outage import Outage
from stages.net.stream import Stream

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, best first. Raises OSError (gaierror) or UnicodeError; may hang: the caller cuts it off."""

DNS_THREADS: Final = 32  # apart from the default 40, so that dead resolvers hold up nothing but other look-ups
ADDRESSES_TRIED: Final = 4
# What a name server that works says of a name that is not there. A dead one is EAI_AGAIN, or nothing at all.
_ANSWERS: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_NO_WAY: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
_LAST_RESORT_SECONDS: Final = 3.0  # what one address may take while others are left


def system_resolver(threads: int = DNS_THREADS) -> Resolver:
    """getaddrinfo in threads of its own. An abandoned look-up keeps its thread's slot until the system gives up."""
    limiter: anyio.CapacityLimiter | None = None

    async def resolve(host: str, port: int) -> Sequence[str]:
        nonlocal limiter
        if limiter is None:  # belongs to the event loop that is running
            limiter = anyio.CapacityLimiter(threads)
        found = await anyio.to_thread.run_sync(_look_up, host, port, abandon_on_cancel=True, limiter=limiter)
        return tuple(dict.fromkeys(found))

    return resolve


def _look_up(host: str, port: int) -> list[str]:
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """The only place in Atlas that opens a connection to the outside. Trio."""

    def __init__(self, guard: Guard, resolver: Resolver, *, dns_seconds: float) -> None:
        self._guard = guard
        self._resolver = resolver
        self._dns_seconds = dns_seconds
        self._names = Outage("no name can be looked up")
        self._ways = Outage("there is no way to any host")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 the interface has it, the pool is made without
        socket_options: Iterable[object] | None = None,  # noqa: ARG002
    ) -> Stream:
        """A connection to an allowed address of `host` within `timeout`. `start_tls` shares the same deadline."""
        seconds = 10.0 if timeout is None else timeout
        deadline = trio.current_time() + seconds
        try:
            with trio.move_on_after(seconds):
                addresses = await self._addresses(host, port)
                return Stream(await self._dial(host, port, addresses, deadline), deadline)
            raise FetchTimeout(f"{host} did not answer the connection within {seconds:g} s")
        except AtlasError as error:
            # As the argument, because the pool re-raises `from None`, which would wipe the cause (see errors.py).
            raise httpcore2.ConnectError(error) from error

    async def connect_unix_socket(self, path: str, *_: object, **__: object) -> NoReturn:
        raise httpcore2.ConnectError(AddressDenied(f"{path} is a local socket", hint="They are never dialled."))

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a host, every one of them allowed."""
        addresses = await self._resolve(host, port)
        self._guard.check(host, addresses)
        for address in addresses:
            if not self._guard.allows_explicitly(address) and is_own(address, port):
                raise AddressDenied(
                    f"{host} is at {address}, which is this machine itself",
                    hint="If that is meant, list the address in ATLAS_NET_ALLOW_NETWORKS.",
                )
        return addresses

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        try:
            parse(host)
        except ValueError:
            pass
        else:
            return (host,)
        hint = "Check the address for a typing error; if it is right, the name server may be down."
        try:
            with trio.move_on_after(self._dns_seconds):
                addresses = await self._resolver(host, port)
                self._names.worked()
                if not addresses:
                    raise DnsFailed(f"{host} has no address", hint=hint)
                return addresses
        except (OSError, UnicodeError) as error:
            if isinstance(error, socket.gaierror) and error.errno in _ANSWERS:
                self._names.worked()
            elif isinstance(error, OSError):
                self._names.failed(host, trio.current_time())
            raise DnsFailed(f"{host} cannot be looked up: {error}", hint=hint) from error
        self._names.failed(host, trio.current_time())
        raise DnsFailed(f"{host} cannot be looked up within {self._dns_seconds:g} s", hint=hint)

    async def _dial(self, host: str, port: int, addresses: Sequence[str], deadline: float) -> trio.SocketStream:
        """The first address that answers, in order; one that is silent may not use up the time of the others."""
        failure: OSError | None = None
        tried = tuple(addresses[:ADDRESSES_TRIED])
        for number, address in enumerate(tried, start=1):
            left = max(0.0, deadline - trio.current_time())
            with trio.move_on_after(left if number == len(tried) else min(_LAST_RESORT_SECONDS, left / 2)):
                try:
                    stream = trio.SocketStream(await self._connect(host, address, port))
                except OSError as error:
                    failure = error
                else:
                    self._ways.worked()
                    return stream
        if failure is None:
            raise FetchTimeout(f"{host} did not answer the connection in time", hint="The site may be down.")
        if failure.errno in _NO_WAY:
            self._ways.failed(host, trio.current_time())
        else:
            self._ways.worked()  # it was reached, and refused
        raise ConnectFailed(f"{host} cannot be connected to: {failure}", hint="The site may be down.") from failure

    async def _connect(self, host: str, address: str, port: int) -> trio.socket.SocketType:
        family = trio.socket.AF_INET if parse(address).version == 4 else trio.socket.AF_INET6
        dialled = trio.socket.socket(family, trio.socket.SOCK_STREAM)
        try:
            await dialled.connect((address, port))
            self._check_peer(host, address, str(dialled.getpeername()[0]))
        except BaseException:  # cancellation too: nobody else knows this socket
            dialled.close()
            raise
        return dialled

    def _check_peer(self, host: str, address: str, peer: str) -> None:
        self._guard.check(host, (peer,))
        if parse(peer) != parse(address):
            raise AddressDenied(f"{host} was dialled at {address}, but the other end is {peer}")


def is_own(address: str, port: int) -> bool:
    """Whether an address is one of this machine's: its route then starts where it ends. Sends nothing (UDP connect)."""
    family = socket.AF_INET if parse(address).version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, port or 1))
        except OSError:  # no route: dialling it will say so
            return False
        return parse(str(probe.getsockname()[0])) == parse(address)
