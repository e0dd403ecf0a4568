"""A file system of its own for a test: a tmpfs of a few MiB, filled and emptied as the test says."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1_048_576


class SmallDisk:
    """Mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    @property
    def free(self) -> int:
        """Bytes that may still be written."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, *, leave: int) -> None:
        """Take all but `leave` bytes."""
        size = 0
        with self._ballast.open("wb") as ballast:
            while (take := self.free - leave) > 0:
                with contextlib.suppress(OSError):  # others were faster: there is less now
                    os.posix_fallocate(ballast.fileno(), size, take)
                    size += take

    def empty(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink()


def _mount(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False, timeout=10)


@contextmanager
def small_disk(path: Path, *, mib: int) -> Iterator[SmallDisk]:
    """Skips the test where nothing may be mounted. Unmounted always, whatever still has files open there."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    path.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "tmpfs", str(path))
    if mounted.returncode != 0:
        pytest.skip(f"nothing may be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=10)
