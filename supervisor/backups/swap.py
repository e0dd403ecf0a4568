"""Putting restored files in the place of those that are there, so that being cut off anywhere leaves nothing by half.

restoring.json is written first, and says what is to go where; while it is there nobody opens the library. Then all that
is there moves aside, then the restored files move in. All are renames on one file system, each done once, whoever does
it: a second run finds what is left to do by what lies where.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from pipeline.errors import RestoreUnfinished
from pipeline.store.damage import sync_folder
from pipeline.store.library import UNFINISHED
from supervisor.backups import files


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One file. The paths are absolute."""

    source: str
    target: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, and what is said when it is: `report` is the caller's."""

    scratch: str
    aside: str
    away: tuple[Move, ...]  # what is replaced; some of it may not be there
    into: tuple[Move, ...]  # what takes its place
    report: msgspec.Raw


def begin(folder: Path, plan: Plan) -> None:
    """From now on it is decided: `finish` does it, now or after whatever cuts it off. Raises OSError."""
    try:
        files.write(folder / UNFINISHED, msgspec.json.format(msgspec.json.encode(plan)) + b"\n")
    except OSError:
        (folder / UNFINISHED).unlink(missing_ok=True)
        raise


def unfinished(folder: Path) -> Plan | None:
    """The plan of a restore that was cut off."""
    try:
        content = (folder / UNFINISHED).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=Plan)
    except msgspec.DecodeError as error:
        raise RestoreUnfinished(
            f"{folder / UNFINISHED} cannot be understood: {error}",
            hint=f"see what is there, and put it right by hand: ls -la {folder} {folder}/replaced-*",
        ) from error


def finish(folder: Path, plan: Plan) -> None:
    """Do what is left of it. May be called again after whatever cut it off."""
    _check(folder, plan)
    aside = Path(plan.aside)
    aside.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder)
    placed = {move.target for move in plan.into if not os.path.lexists(move.source)}
    for move in plan.away:
        # What lies there once the restored file has moved in is the restored file.
        if move.source not in placed and os.path.lexists(move.source):
            Path(move.source).rename(move.target)
    _sync(plan.away)
    for move in plan.into:
        if os.path.lexists(move.source):
            Path(move.source).rename(move.target)
    _sync(plan.into)
    (folder / UNFINISHED).unlink()
    sync_folder(folder)
    shutil.rmtree(plan.scratch, ignore_errors=True)


def _check(folder: Path, plan: Plan) -> None:
    """Before anything moves: each restored file is where it was made, or in its place already."""
    made_in = Path(plan.aside).parent
    if made_in.resolve() != folder.resolve():
        raise RestoreUnfinished(
            f"{folder / UNFINISHED} belongs to {made_in}: the folder was copied or moved before that restore had ended",
            hint=f"finish it there; or move the folder back to {made_in}, run atlas restore, then move it again",
        )
    gone = [move.target for move in plan.into if not any(map(os.path.lexists, (move.source, move.target)))]
    if gone:
        raise RestoreUnfinished(
            f"the restored {', '.join(gone)} cannot be found any more",
            hint=f"move what lies in {plan.aside} back, remove {UNFINISHED}, then restore again",
        )


def _sync(moves: tuple[Move, ...]) -> None:
    for parent in sorted({Path(path).parent for move in moves for path in (move.source, move.target)}):
        if parent.is_dir():
            sync_folder(parent)
