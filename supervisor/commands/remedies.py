"""What to type about each thing that `atlas doctor` finds wrong, on the same data folder as its own call."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.condition import HEARTBEAT_MS, Looked
from pipeline.errors import StoreBroken, StoreBusy, StoreError, StoreFull, StoreTooNew
from pipeline.store.status import RoleReport
from supervisor.settings import Config


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """The commands of one folder. `flags` are the options of this call, to be given again."""

    config: Config
    flags: tuple[str, ...] = ()

    def atlas(self, command: str) -> str:
        return shlex.join(["./tools/atlas", *command.split(), *self.flags])

    @property
    def folder(self) -> str:
        return shlex.quote(str(self.config.folder))

    @property
    def database(self) -> str:
        return shlex.quote(str(self.config.folder / self.config.database.path))

    @property
    def archive(self) -> str:
        return shlex.quote(str(self.config.folder / self.config.database.archive_path))

    def log(self, role: str) -> str:
        if self.config.log.file:
            return f"tail -n 50 {shlex.quote(str(self.config.folder / self.config.log.file))}"
        return f"journalctl -u atlas-{role} -n 50"

    def start(self, role: str) -> str:
        return f"start it: {self.atlas('up')}, or systemctl start atlas-{role}"


def last_of(looked: Looked, role: str) -> RoleReport | None:
    """The last that was heard of a role, however long ago."""
    return next((each for each in looked.roles if each.role == role), None)


def is_up(role: RoleReport | None, now: int) -> bool:
    """Whether it has reported lately and not said that it stops."""
    return role is not None and role.stopped_at is None and now - role.seen_at <= HEARTBEAT_MS


def remedy(check: str, looked: Looked, commands: Commands) -> str:
    """What to do about a check that is not well."""
    return _REMEDIES[check](looked, commands)


def opening(error: StoreError, commands: Commands) -> str:
    """What to do about a database that cannot be opened: the store's hint, and what to look at."""
    match error:
        case StoreBusy():
            return _holder(commands)
        case StoreFull():
            return _room(commands)
        case StoreTooNew():
            return error.hint
        case StoreBroken():
            return f"{error.hint}; see what the kernel says: dmesg | tail -n 50"
        case _:
            return f"{error.hint or 'please report it'}; see what is there: ls -la {commands.folder}"


def _holder(commands: Commands) -> str:
    return f"see who holds it, and end that: fuser -v {commands.database}"


def _room(commands: Commands) -> str:
    mount = f"$(stat -c %m {commands.folder})"
    return f"see what fills the disk, and make room: du -xhd2 {mount} | sort -h | tail; it goes on by itself"


def restore(path: str, commands: Commands) -> str:
    """What to do about a damaged database, whose path is given as a shell reads it."""
    return (
        f"choose the newest good backup: {commands.atlas('backup list')}; stop Atlas; restore it: `atlas restore ID`,"
        f" which keeps {path} aside and brings back what can still be read of it"
    )


def _database(looked: Looked, commands: Commands) -> str:
    if looked.database == "busy":
        return _holder(commands)
    if looked.database == "full":
        return _room(commands)
    again = restore(commands.database, commands)
    if looked.is_damaged:
        return f"{again}; if you think that it is sound after all: {commands.atlas('recheck')}"
    return f"see how bad it is: {commands.atlas('doctor --deep')}; then {again}"


def _disk(_looked: Looked, commands: Commands) -> str:
    return _room(commands)


def _wal(_looked: Looked, commands: Commands) -> str:
    return f"see who has it open, and end what is none of Atlas: fuser -v {commands.database} {commands.archive}"


def _archive(_looked: Looked, commands: Commands) -> str:
    return (
        f"restore {commands.archive}, and with it the library as of then; choose a backup:"
        f" {commands.atlas('backup list')}; restore it: `atlas restore ID`"
    )


def _queue(looked: Looked, commands: Commands) -> str:
    if is_up(last_of(looked, "worker"), looked.now):
        return f"wait, it is worked off; see how it goes: {commands.atlas('status')}"
    return f"it is worked off once a worker runs; {commands.start('worker')}"


def _oldest(looked: Looked, commands: Commands) -> str:
    if is_up(last_of(looked, "worker"), looked.now):
        return f"see what its actor does: {commands.atlas('status')}; nothing is lost by systemctl restart atlas-worker"
    return f"they are worked on once a worker runs; {commands.start('worker')}"


def _role(role: str) -> Callable[[Looked, Commands], str]:
    def say(looked: Looked, commands: Commands) -> str:
        last = last_of(looked, role)
        has_vanished = last is not None and last.stopped_at is None
        return (f"see why it ended: {commands.log(role)}; then " if has_vanished else "") + commands.start(role)

    return say


def _actors(_looked: Looked, commands: Commands) -> str:
    return f"see what goes wrong: {commands.atlas('errors')}; then systemctl restart atlas-worker (or `atlas up` anew)"


def _scheduler(_looked: Looked, commands: Commands) -> str:
    return f"run a round: {commands.atlas('scheduler')}; for ever: systemctl enable --now atlas-scheduler.timer"


def _conservation(_looked: Looked, commands: Commands) -> str:
    return f"report it, with what the scheduler said: {commands.log('scheduler')}"


def _backup(_looked: Looked, commands: Commands) -> str:
    return f"make one: {commands.atlas('backup')}; every day: systemctl enable --now atlas-backup.timer"


def _errors(_looked: Looked, commands: Commands) -> str:
    return f"see what it was: {commands.atlas('errors')}; then, with its id: {commands.atlas('errors ID')}"


_REMEDIES: Final[dict[str, Callable[[Looked, Commands], str]]] = {
    "database": _database,
    "disk": _disk,
    "wal": _wal,
    "archive": _archive,
    "queue": _queue,
    "oldest": _oldest,
    "worker": _role("worker"),
    "api": _role("api"),
    "actors": _actors,
    "scheduler": _scheduler,
    "conservation": _conservation,
    "backup": _backup,
    "errors": _errors,
}
