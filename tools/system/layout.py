"""Where everything of an installed Atlas lies. `root` is another folder in tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SOCKET = "atlas-api.socket"
API = "atlas-api.service"
WORKER = "atlas-worker.service"
BACKUP = "atlas-backup.service"
TIMERS = ("atlas-scheduler.timer", "atlas-backup.timer", "atlas-backup-drill.timer")
ENABLED = (SOCKET, API, WORKER, *TIMERS)
# Stopped in this order: the socket first, or the next connection would start the api again.
RUNNING = (
    SOCKET,
    API,
    *TIMERS,
    WORKER,
    "atlas-scheduler.service",
    "atlas-backup.service",
    "atlas-backup-drill.service",
)
RUNNING += ("atlas-backup-copy.service",)


@dataclass(frozen=True)
class Layout:
    """The folders and files of an installation."""

    root: Path = Path("/")

    @property
    def opt(self) -> Path:
        return self.root / "opt/atlas"

    @property
    def releases(self) -> Path:
        return self.opt / "releases"

    @property
    def current(self) -> Path:
        """Symlink to the release that runs."""
        return self.opt / "current"

    @property
    def previous(self) -> Path:
        """Symlink to the one that ran before it."""
        return self.opt / "previous"

    @property
    def lock(self) -> Path:
        return self.opt / "lock"

    @property
    def units(self) -> Path:
        return self.root / "etc/systemd/system"

    @property
    def worker_drop_in(self) -> Path:
        """What of the configuration the kernel has to know of the worker."""
        return self.units / f"{WORKER}.d" / "10-configuration.conf"

    @property
    def etc(self) -> Path:
        return self.root / "etc/atlas"

    @property
    def config(self) -> Path:
        return self.etc / "config.toml"

    @property
    def credentials(self) -> Path:
        """Secrets, a file each."""
        return self.etc / "credentials"

    @property
    def data(self) -> Path:
        return self.root / "var/lib/atlas"

    @property
    def backups(self) -> Path:
        return self.root / "var/backups/atlas"

    @property
    def command(self) -> Path:
        """The operator's command."""
        return self.root / "usr/local/bin/atlas"

    @property
    def library(self) -> Path:
        return self.root / "usr/local/lib/atlas"

    @property
    def snippets(self) -> dict[str, Path]:
        """Files of systemd/ for folders of others, by name."""
        return {
            "atlas.sysusers": self.root / "etc/sysusers.d/atlas.conf",
            "atlas.tmpfiles": self.root / "etc/tmpfiles.d/atlas.conf",
            "atlas.logrotate": self.root / "etc/logrotate.d/atlas",
            "alert": self.library / "alert",
        }

    @property
    def environment(self) -> dict[str, str]:
        """What tells a command of Atlas that it works on this installation."""
        return {
            "ATLAS_CONFIG": str(self.config),
            "ATLAS_DATA_DIR": str(self.data),
            "ATLAS_BACKUP_DIR": str(self.backups),
            "RUNTIME_DIRECTORY": str(self.root / "run/atlas"),
        }
