"""library.lock: who has the library of a data folder open. Everybody shares it; a restore has it alone.

The kernel frees it when a process dies, however it dies, and a child process never inherits it. It costs one flock at
the opening, and nothing later.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import anyio

from pipeline import errors

LOCK: Final = "library.lock"
UNFINISHED: Final = "restoring.json"  # there while a restore is replacing files: they do not belong together then
WAIT_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.05
_CANNOT_BE_MADE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.asynccontextmanager
async def shared(folder: Path) -> AsyncIterator[None]:
    """Have the library open together with others. Waits up to WAIT_SECONDS for a restore, then raises LibraryHeld.

    Raises RestoreUnfinished when one was cut off. A folder in which nothing can be made has no lock: opening the
    database there says what is wrong, and nobody restores there either.
    """
    descriptor = _opened(folder)
    if descriptor is None:
        yield
        return
    try:
        deadline = anyio.current_time() + WAIT_SECONDS
        while not _taken(descriptor, fcntl.LOCK_SH):
            if anyio.current_time() >= deadline:
                raise _restoring(folder)
            await anyio.sleep(_AGAIN_SECONDS)
        _check_whole(folder)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def shared_now(folder: Path) -> Iterator[None]:
    """The same for what has no event loop and does not wait."""
    descriptor = _opened(folder)
    if descriptor is None:
        yield
        return
    try:
        if not _taken(descriptor, fcntl.LOCK_SH):
            raise _restoring(folder)
        _check_whole(folder)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have the library to oneself; raises LibraryHeld, which names who has it open, at once."""
    try:
        descriptor = _open(folder)
    except OSError as error:
        raise _refused(folder, error) from error
    try:
        if not _taken(descriptor, fcntl.LOCK_EX):
            raise errors.LibraryHeld(
                f"{folder} is in use by {_told(holders(folder))}",
                hint="end that first: systemctl stop atlas-api.socket atlas-api atlas-worker atlas-scheduler.timer, or"
                " Ctrl-C where `atlas up` runs",
            )
        yield
    finally:
        os.close(descriptor)


def holders(folder: Path) -> tuple[str, ...]:
    """Who has the library open, as "worker (pid 123)"; as far as the kernel tells us."""
    try:
        inode = (folder / LOCK).stat().st_ino
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        # 1: FLOCK  ADVISORY  READ 4711 fd:01:123456 0 EOF
        fields = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
            found.append(_name(fields[4]))
    return tuple(sorted(set(found)))


def _name(pid: str) -> str:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return f"pid {pid}"
    after = arguments[arguments.index("supervisor") + 1 :] if "supervisor" in arguments else []
    return f"{after[0]} (pid {pid})" if after and after[0] else f"pid {pid}"


def _told(found: tuple[str, ...]) -> str:
    return ", ".join(found) or "another process"


def _opened(folder: Path) -> int | None:
    try:
        return _open(folder)
    except OSError as error:
        if error.errno in _CANNOT_BE_MADE and not (folder / LOCK).exists():
            return None
        raise _refused(folder, error) from error


def _open(folder: Path) -> int:
    # Only to be locked, never written: this way it can be had on a disk that is read-only or full, once it is there.
    return os.open(folder / LOCK, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _refused(folder: Path, error: OSError) -> errors.StoreError:
    kind = errors.StoreFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else errors.StoreUnreadable
    return kind(f"open {folder / LOCK}: {error.strerror}", hint="check that the folder is there and ours")


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_whole(folder: Path) -> None:
    if (folder / UNFINISHED).exists():
        raise errors.RestoreUnfinished(
            f"a restore of {folder} was cut off before its end", hint="finish it first: atlas restore"
        )


def _restoring(folder: Path) -> errors.LibraryHeld:
    return errors.LibraryHeld(
        f"{folder} is being restored by {_told(holders(folder))}", hint="wait until that has ended, then try again"
    )
