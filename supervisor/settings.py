"""Every setting of Atlas in one struct, made of each package's own; and those of the supervisor itself."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Final

import msgspec

from gateway.settings import ApiSettings
from observability.settings import LogSettings, MetricsSettings, TraceSettings
from pipeline.settings import BreakerSettings, DatabaseSettings, QueueSettings, RetrySettings
from stages.settings import AcquireSettings, DiscoverSettings, FallbackSettings, NetSettings, ParseSettings

# No name may be taken for an option, and none may end the line.
COPY_TO: Final = re.compile(
    r"(?P<folder>/[^\0\n\r]*)"
    r"|rclone:(?P<remote>[A-Za-z0-9_.+@][A-Za-z0-9_.+@ -]*:[^\0\n\r]*)"
    r"|ssh:(?P<host>(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_\[][A-Za-z0-9_.:\[\]-]*?):(?P<path>[^\0\n\r:-][^\0\n\r:]*)"
)


class DataSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[data]"""

    dir: Annotated[str, msgspec.Meta(min_length=1)] = (
        "data"  # relative to where it is written; default: in the checkout
    )


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[worker]"""

    concurrency: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0  # parse processes; 0 = as many as the machine has cores
    drain_seconds: Annotated[float, msgspec.Meta(gt=0, le=300)] = 15.0  # for work in hand, after SIGTERM

    @property
    def processes(self) -> int:
        """`concurrency` with 0 worked out."""
        return self.concurrency or os.cpu_count() or 1


class BackupSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[backup]"""

    dir: Annotated[str, msgspec.Meta(min_length=1)] = "backups"  # relative to the data folder
    keep_daily: Annotated[int, msgspec.Meta(ge=1, le=366)] = 7  # the newest of so many days that have any
    keep_weekly: Annotated[int, msgspec.Meta(ge=0, le=520)] = 4
    keep_monthly: Annotated[int, msgspec.Meta(ge=0, le=1200)] = 6
    copy_to: str = ""  # a folder, rclone:remote:path, ssh:user@host:path

    def __post_init__(self) -> None:
        if self.copy_to and not COPY_TO.fullmatch(self.copy_to):
            raise ValueError("copy_to is none of /a/folder, rclone:remote:path and ssh:user@host:path")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration. `data.dir` is absolute once it was loaded by `supervisor.config`."""

    data: DataSettings = msgspec.field(default_factory=DataSettings)
    database: DatabaseSettings = msgspec.field(default_factory=DatabaseSettings)
    queue: QueueSettings = msgspec.field(default_factory=QueueSettings)
    retry: RetrySettings = msgspec.field(default_factory=RetrySettings)
    net: NetSettings = msgspec.field(default_factory=NetSettings)
    acquire: AcquireSettings = msgspec.field(default_factory=AcquireSettings)
    parse: ParseSettings = msgspec.field(default_factory=ParseSettings)
    fallback: FallbackSettings = msgspec.field(default_factory=FallbackSettings)
    breaker: BreakerSettings = msgspec.field(default_factory=BreakerSettings)
    discover: DiscoverSettings = msgspec.field(default_factory=DiscoverSettings)
    api: ApiSettings = msgspec.field(default_factory=ApiSettings)
    worker: WorkerSettings = msgspec.field(default_factory=WorkerSettings)
    backup: BackupSettings = msgspec.field(default_factory=BackupSettings)
    log: LogSettings = msgspec.field(default_factory=LogSettings)
    trace: TraceSettings = msgspec.field(default_factory=TraceSettings)
    metrics: MetricsSettings = msgspec.field(default_factory=MetricsSettings)

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.data.dir)

    @property
    def backups(self) -> Path:
        """The folder of the backups."""
        return self.folder / Path(self.backup.dir).expanduser()
