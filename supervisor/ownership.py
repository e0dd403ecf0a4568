"""Root on somebody's data folder works as that somebody, so that it leaves no file that the services cannot open."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import msgspec

from pipeline.errors import ConfigError

# One file each of the interpreter, its library, the packages and the checkout.
_NEEDED = (sys.executable, os.__file__, msgspec.__file__, __file__)


def live_as_owner(folder: Path) -> None:
    """become_owner, for what imports and starts processes later: ConfigError when the owner cannot read our Python."""
    owner = become_owner(folder)
    if owner is None:
        return
    for path in _NEEDED:
        if not os.access(path, os.R_OK):
            raise ConfigError(
                f"{folder} belongs to {_name(owner)}, who cannot read {path}",
                faults=(),
                hint="install Python and Atlas where that user can read them, or choose another folder with --data",
            )


def become_owner(folder: Path) -> int | None:
    """As root, take on the owner of `folder` for good and return the uid; otherwise None, and nothing changes.

    Before anything is opened or written, and before `die_with_parent`, whose wish the kernel forgets with the change. A
    folder that does not exist has no owner yet: root stays root, and the folder will be root's.
    """
    if os.geteuid() != 0:
        return None
    try:
        seen = folder.stat()
    except FileNotFoundError:
        return None
    if seen.st_uid == 0:
        return None
    groups, gid = _groups(seen.st_uid, seen.st_gid)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(seen.st_uid, seen.st_uid, seen.st_uid)
    return seen.st_uid


def _groups(uid: int, folder_gid: int) -> tuple[list[int], int]:
    """The owner's own groups; those of the folder when the machine does not know the owner (a container's uid)."""
    try:
        owner = pwd.getpwuid(uid)
    except KeyError:
        return [], folder_gid
    return os.getgrouplist(owner.pw_name, owner.pw_gid), owner.pw_gid


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
