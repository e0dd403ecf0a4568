"""F13: clients that drip their requests are cut off in time, and who asks properly is answered meanwhile."""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from supervisor.instance import Instance
from tests.test_reliability.clients import Busy, p99, timed
from tests.test_reliability.roles import roles
from tests.test_reliability.sizes import figure, size

pytestmark = pytest.mark.fault

CLIENTS = size("LORIS", small=100, full=500)
KNOWN = CLIENTS // 5  # with a good token; of others no body is waited for. At most [api] max_connections may be in hand
HEADER_SECONDS = 6.0
BODY_SECONDS = 20.0
DRIP_SECONDS = 1.0


class Loris:
    """One client: sends `opening`, then a byte a second until it is cut off."""

    def __init__(self, port: int, opening: bytes) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.connection.setblocking(False)
        self.connection.send(opening)
        self.begun = time.monotonic()
        self.cut_after: float | None = None

    def drip(self) -> None:
        try:
            self.connection.send(b"x")
        except OSError:
            self._ended()

    def look(self) -> None:
        """It can be read from: an answer, or the end."""
        try:
            if not self.connection.recv(65_536):
                self._ended()
        except BlockingIOError:
            return
        except OSError:
            self._ended()

    def _ended(self) -> None:
        if self.cut_after is None:
            self.cut_after = time.monotonic() - self.begun


def drip_until_cut(loris: list[Loris], *, seconds: float) -> None:
    """Drip from all of them until each is cut off, at most so long."""
    end, next_drip = time.monotonic() + seconds, 0.0
    with selectors.DefaultSelector() as selector:
        for one in loris:
            selector.register(one.connection, selectors.EVENT_READ, one)
        while selector.get_map() and time.monotonic() < end:
            for key, _ in selector.select(0.05):
                key.data.look()
                _drop_ended(selector, key.data)
            if time.monotonic() >= next_drip:
                next_drip = time.monotonic() + DRIP_SECONDS
                for key in list(selector.get_map().values()):
                    key.data.drip()
                    _drop_ended(selector, key.data)


def _drop_ended(selector: selectors.BaseSelector, one: Loris) -> None:
    if one.cut_after is not None:
        selector.unregister(one.connection)


def openings(atlas: Instance) -> dict[str, tuple[int, bytes]]:
    """How many clients of each kind, and what they begin with."""
    host = f"Host: 127.0.0.1:{atlas.port}\r\n"
    body = f"POST /api/v1/items HTTP/1.1\r\n{host}Content-Type: application/json\r\nContent-Length: 1000\r\n"
    strangers = (CLIENTS - KNOWN) // 2
    return {
        "header": (CLIENTS - KNOWN - strangers, f"GET / HTTP/1.1\r\n{host}X-Slow: ".encode()),
        "stranger's body": (strangers, f"{body}\r\n".encode()),
        "body": (KNOWN, f"{body}Authorization: Bearer {atlas.token}\r\n\r\n".encode()),
    }


def test_clients_that_drip_their_requests_are_cut_off_and_hold_up_nobody(tmp_path: Path) -> None:
    with roles(tmp_path) as running, ExitStack() as open_sockets:
        api = running.start("api")
        with Busy(lambda _: timed(running.atlas, "GET", "/api/v1/items"), pause=0.02) as healthy:
            kinds = {
                kind: [Loris(running.atlas.port, opening) for _ in range(count)]
                for kind, (count, opening) in openings(running.atlas).items()
            }
            everyone = [one for group in kinds.values() for one in group]
            for one in everyone:
                open_sockets.callback(one.connection.close)
            drip_until_cut(everyone, seconds=BODY_SECONDS + 10)
        cut = {kind: max(one.cut_after or 999.0 for one in group) for kind, group in kinds.items()}
        seconds = [answer.seconds for answer in healthy.answers]
        assert cut["header"] <= HEADER_SECONDS
        assert cut["stranger's body"] <= HEADER_SECONDS
        assert cut["body"] <= BODY_SECONDS
        assert {answer.status for answer in healthy.answers} == {200}
        assert p99(seconds) <= 0.25
        assert api.stop() == 0
    told = ", ".join(f"{kind} of {len(kinds[kind])} cut <= {longest:.1f} s" for kind, longest in cut.items())
    figure("F13", f"{CLIENTS} clients that drip: {told}; {len(seconds)} others, p99 {p99(seconds) * 1000:.0f} ms")
