"""worker.lock: one worker per data folder, for leases are told apart by the boot id of the one worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio

from pipeline.errors import AtlasError

WAIT_SECONDS = 5.0
_TRY_AGAIN_SECONDS = 0.1


class LockHeld(AtlasError):
    """Another worker runs on this data folder."""

    code = "lock_held"
    retryable = True


@contextlib.asynccontextmanager
async def exclusive(path: Path, *, wait: float = WAIT_SECONDS) -> AsyncIterator[None]:
    """Hold the lock; raises LockHeld when it is not free within `wait` seconds.

    The kernel frees it when the process dies, however it dies. The file stays: were it removed, two could each
    hold a lock of that name. The pid in it is for people.
    """
    # Close-on-exec, as all descriptors of Python: a child process that outlives us must not hold the lock.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        await _take(descriptor, path, wait)
        _write(descriptor, f"{os.getpid()}\n")
        try:
            yield
        finally:
            _write(descriptor, "")
    finally:
        os.close(descriptor)


async def _take(descriptor: int, path: Path, wait: float) -> None:
    deadline = anyio.current_time() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if anyio.current_time() >= deadline:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                raise LockHeld(
                    f"another worker{f' (pid {holder})' if holder else ''} runs on {path.parent}",
                    hint="one worker per data folder: stop the other one, or choose another folder with --data",
                ) from None
            await anyio.sleep(_TRY_AGAIN_SECONDS)
        else:
            return


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
