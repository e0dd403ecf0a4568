"""What systemd is told (sd_notify): datagrams to the socket that it names, nothing at all without one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping

import anyio

# systemd reads at once; past this the message is lost rather than the event loop held up.
_SEND_SECONDS = 0.5


class Notify:
    """The line to systemd. `watchdog_seconds` is how often it wants to hear from us, None: not at all."""

    def __init__(self, address: str | None, *, watchdog_seconds: float | None = None) -> None:
        self._address = address
        self.watchdog_seconds = watchdog_seconds
        self.lost = 0
        self._status = ""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, pid: int) -> Notify:
        """As systemd says in the environment of the process `pid`; a watchdog meant for another process is not ours."""
        address = environ.get("NOTIFY_SOCKET") or None
        meant_for = environ.get("WATCHDOG_PID", str(pid))
        micros = environ.get("WATCHDOG_USEC", "")
        ours = address is not None and meant_for == str(pid) and micros.isdecimal() and int(micros) > 0
        return cls(address, watchdog_seconds=int(micros) / 1e6 if ours else None)

    def ready(self, status: str = "") -> None:
        """The role serves."""
        self._send({"READY": "1"} | ({"STATUS": status} if status else {}))

    def stopping(self, status: str = "") -> None:
        """The role has begun to stop."""
        self._send({"STOPPING": "1"} | ({"STATUS": status} if status else {}))

    @property
    def is_heard(self) -> bool:
        """Whether there is anybody to tell."""
        return self._address is not None

    def status(self, text: str) -> None:
        """One line for `systemctl status`; sent when it is another than the last."""
        if text != self._status:
            self._status = text
            self._send({"STATUS": text})

    def alive(self) -> None:
        """The watchdog's sign of life."""
        self._send({"WATCHDOG": "1"})

    def extend_timeout(self, seconds: float) -> None:
        """Starting or stopping takes up to `seconds` longer, counted from now."""
        self._send({"EXTEND_TIMEOUT_USEC": str(int(seconds * 1e6))})

    def _send(self, fields: Mapping[str, str]) -> None:
        if self._address is None:
            return
        # A line break would begin another assignment.
        message = "\n".join(f"{name}={' '.join(value.split())}" for name, value in fields.items())
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
                sock.settimeout(_SEND_SECONDS)
                sock.sendto(message.encode(), address)
        except OSError:
            self.lost += 1


async def watchdog(notify: Notify, interval: float, healthy: Callable[[], bool]) -> None:
    """A sign of life every third of `interval`, but only while `healthy`; from the event loop, to see it blocked."""
    while True:
        if healthy():
            notify.alive()
        await anyio.sleep(interval / 3)
