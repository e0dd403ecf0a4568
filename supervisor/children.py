"""Child processes for `atlas up`: a role is a process, its end is the end of its child in the tree. Linux."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence

import trio

from pipeline.errors import AtlasError
from supervisor.child import Hopeless, Start, Started
from supervisor.exits import Exit

_PR_SET_PDEATHSIG = 1
_KILL_SECONDS = 5.0


class RoleEnded(AtlasError):
    """A role ended with an error, or was killed."""

    code = "role_ended"


class RoleProcess:
    """A role as a process. `stop_within`: seconds from SIGTERM to SIGKILL; give the child in the tree a little more."""

    def __init__(self, name: str, argv: Sequence[str], environ: Mapping[str, str], *, stop_within: float) -> None:
        self.name = name
        self._argv = tuple(argv)
        self._environ = dict(environ)
        self._stop_within = stop_within
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return None if self._popen is None else self._popen.pid

    async def run(self, started: Started) -> None:
        """Run the process to its end; cancelled, it is stopped: SIGTERM, and SIGKILL past the deadline.

        Raises RoleEnded when it ends by itself with an error, Hopeless when that is a fault of the configuration.
        """
        # Not trio's open_process: it starts children from a thread, and with that thread's end, seconds later, the
        # kernel would see the parent dead that `die_with_parent` names.
        self._popen = subprocess.Popen(  # noqa: ASYNC220, S603 - returns after exec; argv is ours
            self._argv,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C in the terminal reaches us only; we pass it on
        )
        try:
            started()
            await _ended(self._popen)
        finally:
            if self._popen.returncode is None:
                await self._stop(self._popen)
            code, self._popen = self._popen.returncode, None
        self._judge(code)

    def hurry(self) -> None:
        """A second SIGTERM, for a role that is already stopping."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.terminate()

    async def _stop(self, popen: subprocess.Popen[bytes]) -> None:
        popen.terminate()
        with trio.move_on_after(self._stop_within, shield=True):
            await _ended(popen)
        if popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(popen.pid, signal.SIGKILL)
            with trio.move_on_after(_KILL_SECONDS, shield=True):
                await _ended(popen)

    def _judge(self, code: int) -> None:
        match code:
            case Exit.OK:
                return
            case Exit.CONFIG:
                raise Hopeless(f"{self.name} refuses its configuration", exit_code=Exit.CONFIG)
            case _ if code < 0:
                raise RoleEnded(f"{self.name} was killed by {signal.Signals(-code).name}")
            case _:
                raise RoleEnded(f"{self.name} ended with exit code {code}")


async def _ended(popen: subprocess.Popen[bytes]) -> None:
    """Wait for the end without a thread: the descriptor of a process is readable when it is over."""
    descriptor = os.pidfd_open(popen.pid)
    try:
        await trio.lowlevel.wait_readable(descriptor)
        popen.poll()
    finally:
        os.close(descriptor)


def periodic(every: float, *, first: float, within: float, job: Callable[[], Awaitable[None]]) -> Start:
    """A child that runs `job` after `first` seconds and then every `every`, each time for `within` seconds at most.

    Runs never overlap; ticks missed by a long one are left out. A failing job is a crash of the child.
    """

    async def start(started: Started) -> None:
        started()
        due = trio.current_time() + first
        while True:
            await trio.sleep_until(due)
            with trio.fail_after(within):
                await job()
            late = trio.current_time() - due
            due += every * (late // every + 1)

    return start


def die_with_parent(expected_parent: int) -> None:
    """A role calls this first: SIGKILL for it when its parent dies, so that not even kill -9 of `up` leaves an orphan.

    Ends the process at once when the parent is gone already. After `live_as_owner`.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != expected_parent:  # it died before the kernel knew of our wish
        os.kill(os.getpid(), signal.SIGKILL)
