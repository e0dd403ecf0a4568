"""The room on the disk of the data folder: taking in stops before it is full, because a full disk stops everything.

What is kept free is for ending what is in hand, for deleting, marking and reading, and for SQLite's own files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from pipeline import errors
from pipeline.clock import Clock
from pipeline.settings import DatabaseSettings

LOOK_SECONDS = 1.0  # between two looks: the kernel is asked at most this often, however many save
MOST_OF_THE_DISK = 0.2  # of a disk under 5 GiB, where 1 GiB would be more than a fifth, a fifth is kept
MIB = 1_048_576


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """What a file system says of itself, in bytes. `free` is what our user may still write."""

    total: int
    free: int


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What is free, what of it is not for taking in, and how large the disk is; in bytes."""

    free: int
    reserve: int
    total: int

    @property
    def is_low(self) -> bool:
        return self.free < self.reserve


Measure = Callable[[], Space | None]  # None: the file system does not say


def space_of(folder: Path) -> Space | None:
    """One statvfs, which reads no disk."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Space(total=found.f_blocks * found.f_frsize, free=found.f_bavail * found.f_frsize)


def reserve(total: int, settings: DatabaseSettings) -> int:
    """The larger of the two settings, but at most a fifth of the disk."""
    wanted = max(settings.reserve_mib * MIB, round(total * settings.reserve_percent / 100))
    return min(wanted, round(total * MOST_OF_THE_DISK))


class Disk:
    """The guard that saving and claiming ask."""

    def __init__(self, measure: Measure, settings: DatabaseSettings, clock: Clock) -> None:
        self._measure = measure
        self._settings = settings
        self._clock = clock
        self._looked_at: float | None = None
        self._room: Room | None = None

    def room(self) -> Room | None:
        """As of the last look, at most a second ago; None when the file system does not say."""
        now = self._clock.monotonic()
        if self._looked_at is None or now - self._looked_at >= LOOK_SECONDS:
            self._looked_at, self._room = now, self._look()
        return self._room

    def check(self) -> None:
        """Raises StoreFull while less is free than is kept."""
        room = self.room()
        if room is not None and room.is_low:
            raise errors.StoreFull(
                f"the disk is nearly full: {room.free // MIB:,} MiB are left, and {room.reserve // MIB:,} are kept",
                hint="nothing new is taken in; free some space on the disk of the data folder, it goes on by itself",
            )

    def _look(self) -> Room | None:
        space = self._measure()
        return (
            None
            if space is None
            else Room(free=space.free, reserve=reserve(space.total, self._settings), total=space.total)
        )
