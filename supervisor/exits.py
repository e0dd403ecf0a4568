"""How a command of Atlas ends: the exit codes (sysexits.h where it has one) and which error leads to which."""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import Final

from pipeline.errors import (
    AtlasError,
    ConfigError,
    InvalidInput,
    NotFound,
    RestoreUnfinished,
    StoreBroken,
    StoreTooNew,
    StoreUnreadable,
    TopologyError,
)


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 64
    UNAVAILABLE = 69
    INTERNAL = 70
    TRY_LATER = 75
    CONFIG = 78
    INTERRUPTED = 130


EXPLAINED: Final = {
    Exit.OK: "done",
    Exit.FAILED: "not found, or not all of it could be done",
    Exit.USAGE: "wrong call: see --help",
    Exit.UNAVAILABLE: "something needed is missing or damaged (Python, packages, the database file)",
    Exit.INTERNAL: "a fault in Atlas, or a role that gave up; the log says more",
    Exit.TRY_LATER: "not now: the store is busy, full or being restored, or another worker holds the data folder",
    Exit.CONFIG: "the settings have faults (all are listed), the data is of a newer release, or half restored",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
}

# The first class that fits counts.
_BY_CLASS: Final[tuple[tuple[type[AtlasError], Exit], ...]] = (
    (ConfigError, Exit.CONFIG),
    (StoreTooNew, Exit.CONFIG),
    (RestoreUnfinished, Exit.CONFIG),
    (TopologyError, Exit.INTERNAL),
    (InvalidInput, Exit.FAILED),
    (NotFound, Exit.FAILED),
    (StoreUnreadable, Exit.UNAVAILABLE),
    (StoreBroken, Exit.UNAVAILABLE),
)


# What the machine refuses, and no bug of ours: said in a line, without a traceback.
_REFUSED: Final = {
    errno.EACCES: Exit.UNAVAILABLE,
    errno.EPERM: Exit.UNAVAILABLE,
    errno.EROFS: Exit.UNAVAILABLE,
    errno.ENOSPC: Exit.TRY_LATER,
    errno.EDQUOT: Exit.TRY_LATER,
}


def refused(error: OSError) -> Exit | None:
    """The exit code when the machine does not let us read or write; None for any other error."""
    return _REFUSED.get(error.errno or 0)


def exit_code(error: AtlasError) -> Exit:
    """The exit code for an error that ends a command."""
    for kind, code in _BY_CLASS:
        if isinstance(error, kind):
            return code
    return Exit.TRY_LATER if error.retryable else Exit.FAILED
