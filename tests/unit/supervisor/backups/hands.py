"""Short ways to make backups of a library, and to look at what is in the folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from observability.names import Event
from pipeline.clock import SystemClock
from supervisor.backups.folder import Backup, Folder
from supervisor.backups.make import Made, make
from supervisor.settings import BackupSettings, Config, DataSettings


class Wall(SystemClock):
    """A wall clock that a test sets; durations are the machine's."""

    def __init__(self, wall_ms: int = 1_795_576_620_000) -> None:  # 2026-11-25 03:17 UTC
        self.wall = wall_ms

    def wall_ms(self) -> int:
        return self.wall


class Heard:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def _hear(self, event: Event, **fields: object) -> None:
        self.events.append((str(event), fields))

    debug = info = warning = error = critical = _hear

    def of(self, event: Event) -> list[dict[str, object]]:
        return [fields for name, fields in self.events if name == event]


class Hands:
    """One data folder, backed up."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.config = Config(data=DataSettings(dir=str(data)), backup=BackupSettings(**settings))
        self.folder = Folder(self.config.backups)
        self.clock = Wall()
        self.heard = Heard()

    def make(self, *, seconds_later: float = 86_400, say: Callable[[str], None] = lambda _: None) -> Made:
        """A backup, so long after the one before."""
        self.clock.wall += round(seconds_later * 1000)
        return make(self.config, clock=self.clock, log=self.heard, say=say)

    def with_settings(self, **settings: Any) -> Hands:
        other = Hands(self.config.folder, **settings)
        other.clock = self.clock
        return other

    @property
    def ids(self) -> list[str]:
        return [backup.id for backup in self.folder.listing().backups]

    @property
    def names(self) -> set[str]:
        """All that lies in the folder."""
        return {entry.name for entry in self.folder.path.iterdir()}

    def rewrite(self, backup: Backup, **changes: Any) -> None:
        """Change a manifest as somebody who knows its form would."""
        path = backup.path / "manifest.json"
        told = json.loads(path.read_bytes())
        for name, value in changes.items():
            at = told
            *way, last = name.split("__")
            for part in way:
                at = at[part]
            at[last] = value
        path.write_bytes(msgspec.json.encode(told))
