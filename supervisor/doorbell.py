"""Doorbells: one datagram says that there is news in the store. A hint: it may be lost, nobody waits for an answer."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import anyio

from pipeline.errors import AtlasError, ConfigError, Fault
from supervisor.rundir import run_dir_from, socket_path

# More than the kernel queues for one socket; a flood of rings is answered in rounds.
_DRAIN_MOST = 256


class Doorbell:
    """The button at somebody's door. Ringing never fails and never waits; `missed` counts rings that reached nobody."""

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self.rung = 0
        self.missed = 0

    def ring(self) -> None:
        """There is news. Nobody there, or a bell that already rings: nothing happens."""
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
                sock.setblocking(False)
                sock.sendto(b"!", self._path)
        except OSError:
            self.missed += 1
        else:
            self.rung += 1


class Bell:
    """The bell inside, for one listener at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    async def wait(self, timeout: float) -> bool:
        """Wait for a ring, at most `timeout` seconds; True when it rang. One return answers all rings until then."""
        with anyio.move_on_after(timeout):
            await anyio.wait_readable(self._socket)
        return self._drain() > 0

    def _drain(self) -> int:
        for count in range(_DRAIN_MOST):
            try:
                self._socket.recv(16)
            except BlockingIOError:
                return count
        return _DRAIN_MOST


@contextlib.asynccontextmanager
async def listen(path: Path) -> AsyncIterator[Bell]:
    """A bell at `path` (0600), in place of one left by a dead process; removed at the end. On both event loops."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
        sock.setblocking(False)
        inode = _hang(sock, path)
        try:
            yield Bell(sock)
        finally:
            _take_down(path, inode)


def ring(data_dir: Path, role: str) -> bool:
    """Ring the door of a role from outside (the command line); whether somebody was there. Never fails."""
    try:
        bell = Doorbell(door(run_dir_from(os.environ, data_dir), role))
    except (OSError, AtlasError):
        return False
    bell.ring()
    return bell.rung == 1


def door(folder: Path, role: str) -> Path:
    """Where the bell of a role hangs in the run folder. Raises ConfigError when the path is too long for a socket."""
    return socket_path(folder, f"{role}.bell")


def _hang(sock: socket.socket, path: Path) -> int:
    """Bind under another name, then rename: there is no moment without a bell, nor one that others may ring."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            fault = Fault(where=str(path), what="is not a socket", hint="move it away")
            raise ConfigError(f"{path} is in the way: not a socket", faults=(fault,))
    fresh = socket_path(path.parent, f"{path.name}~")
    fresh.unlink(missing_ok=True)
    sock.bind(os.fspath(fresh))
    fresh.chmod(0o600)
    fresh.rename(path)
    return path.lstat().st_ino


def _take_down(path: Path, inode: int) -> None:
    """Remove our bell, not that of a successor."""
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_ino == inode:
            path.unlink()
