"""What systemd hears, on real datagram sockets."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
import trio

from supervisor.notify import Notify, watchdog


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(os.fspath(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


def heard(sock: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(sock.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_every_message_is_one_datagram_in_systemds_words(systemd):
    notify = Notify(systemd.getsockname())
    notify.ready("serving on port 7444")
    notify.status("12 in the queue")
    notify.alive()
    notify.extend_timeout(2.5)
    notify.stopping()
    assert heard(systemd) == [
        "READY=1\nSTATUS=serving on port 7444",
        "STATUS=12 in the queue",
        "WATCHDOG=1",
        "EXTEND_TIMEOUT_USEC=2500000",
        "STOPPING=1",
    ]
    assert notify.lost == 0


def test_an_abstract_socket_is_reached_by_its_at_sign():
    name = f"atlas-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.setblocking(False)
        Notify(f"@{name}").ready()
        assert heard(sock) == ["READY=1"]


def test_a_status_of_several_lines_cannot_become_another_message(systemd):
    Notify(systemd.getsockname()).status("all well\nMAINPID=1")
    assert heard(systemd) == ["STATUS=all well MAINPID=1"]


def test_without_systemd_nothing_happens():
    notify = Notify.from_environment({}, pid=1)
    notify.ready()
    assert (notify.lost, notify.watchdog_seconds) == (0, None)


def test_a_socket_that_is_gone_fails_nobody(tmp_path):
    notify = Notify(os.fspath(tmp_path / "nobody"))
    notify.ready()
    assert notify.lost == 1


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_only_when_it_names_our_process(environ, expected):
    notify = Notify.from_environment({"NOTIFY_SOCKET": "@x"} | environ, pid=77)
    assert notify.watchdog_seconds == expected


async def test_the_watchdog_hears_us_every_third_of_its_interval(systemd, autojump_clock):
    with trio.move_on_after(95):
        await watchdog(Notify(systemd.getsockname()), 30, lambda: True)
    assert heard(systemd) == ["WATCHDOG=1"] * 10


async def test_the_watchdog_hears_nothing_while_we_are_not_healthy(systemd, autojump_clock):
    begin = trio.current_time()
    with trio.move_on_after(95):
        await watchdog(Notify(systemd.getsockname()), 30, lambda: not 25 < trio.current_time() - begin < 65)
    assert heard(systemd) == ["WATCHDOG=1"] * 6


def test_the_watchdog_runs_on_asyncio_too(systemd):
    async def run() -> None:
        looks = 0

        def healthy() -> bool:
            nonlocal looks
            looks += 1
            if looks == 3:
                scope.cancel()
            return looks < 3

        with anyio.move_on_after(5) as scope:
            await watchdog(Notify(systemd.getsockname()), 0.003, healthy)

    asyncio.run(run())
    assert heard(systemd) == ["WATCHDOG=1"] * 2
