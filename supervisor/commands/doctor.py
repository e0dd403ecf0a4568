"""`atlas doctor`: one look at everything, running or not, and what to do about each thing that is not well."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from gateway.condition import LOCK_SECONDS, assess, look
from gateway.shape import iso
from pipeline.clock import SystemClock
from pipeline.errors import StoreError
from pipeline.store.damage import known
from pipeline.store.deep import examine, schema_of
from pipeline.store.figures import file_size
from pipeline.store.handle import Store
from pipeline.store.library import UNFINISHED, shared_now
from pipeline.store.migrate import SCHEMA_VERSION
from pipeline.store.status import Format
from supervisor.commands import findings, installed, machine, output, remedies, roles
from supervisor.commands.findings import Finding, Seen
from supervisor.commands.remedies import Commands
from supervisor.commands.session import as_owner, load_settings, with_store
from supervisor.config import CHECKOUT, Loaded
from supervisor.exits import Exit
from supervisor.settings import Config

RESOLV_CONF = Path("/etc/resolv.conf")
PROJECT = CHECKOUT / "pyproject.toml"
FAULTS_SHOWN = 5  # of one file


def run(args: argparse.Namespace) -> int:
    """Exit 1 when something fails, be it that the database cannot be opened; 0 otherwise. Raises ConfigError."""
    loaded = load_settings(args, quiet=True)  # its warnings are findings
    commands = Commands(config=loaded.config, flags=roles.flags(args))
    found = tuple(_all(loaded, commands, args.config, is_deep=args.deep))
    failing = sum(each.state == "failing" for each in found)
    if args.json:
        output.json(found)
    else:
        output.checklist((each.state, each.check, each.found, each.advice) for each in found)
        output.line("")
        output.line(_summary(failing, sum(each.state == "warning" for each in found)))
    return Exit.FAILED if failing else Exit.OK


def _summary(failing: int, warnings: int) -> str:
    told = [f"{failing} failing"] if failing else []
    told += [f"{warnings} {'warning' if warnings == 1 else 'warnings'}"] if warnings else []
    return f"{', '.join(told)}." if told else "All is well."


def _all(loaded: Loaded, commands: Commands, given: Path | None, *, is_deep: bool) -> Iterator[Finding]:
    config = loaded.config
    # First, though told last: the owner of the folder may not be able to read the Python that root runs.
    below = (*machine.settings(loaded, commands), machine.resolver(RESOLV_CONF), machine.python(PROJECT))
    differs = installed.mismatch(loaded, given)
    if differs:
        below += (Finding(check="socket", state="warning", found=differs, advice=installed.MEND),)
    if (config.folder / UNFINISHED).exists():
        yield _half_restored(commands)
    elif _is_missing(config):
        yield _no_library(config, commands)
    else:
        yield from _of_store(config, commands)
        if is_deep:
            yield from _deep(config, commands)
    yield from below


# The store


def _is_missing(config: Config) -> bool:
    """Nobody would find a library that has gone if opening it made a new one."""
    try:
        (config.folder / config.database.path).stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # opening it says what is wrong
    return False


def _half_restored(commands: Commands) -> Finding:
    found = "a restore was cut off: the files do not belong together, and nothing opens them"
    advice = f"finish it: {commands.atlas('restore')}"
    return Finding(check="database", state="failing", found=found, advice=advice)


def _no_library(config: Config, commands: Commands) -> Finding:
    path = config.folder / config.database.path
    found = f"not running, and nothing is kept here: there is no {path}"
    advice = f"start a new library: {commands.atlas('up')}; if yours is elsewhere: ./tools/atlas doctor --data DIR"
    if (config.folder / config.database.archive_path).exists():
        found = f"the library has gone: there is its archive, and no {path}"
        advice = (
            "start nothing, which would make an empty one; choose a backup:"
            f" {commands.atlas('backup list')}; restore it: `atlas restore ID`"
        )
    return Finding(check="database", state="failing", found=found, advice=advice)


def _of_store(config: Config, commands: Commands) -> Iterator[Finding]:
    try:
        as_owner(config)
        with shared_now(config.folder):
            schema = schema_of(config.folder / config.database.path, tidy=known(config.folder) is None)
        if 0 < schema < SCHEMA_VERSION:
            found = f"atlas {schema}, and this release is of {SCHEMA_VERSION}"
            start = commands.atlas("up")
            advice = (
                f"nothing: the next start brings it there, and doctor changes nothing and looks no further; {start}"
            )
            yield Finding(check="schema", state="warning", found=found, advice=advice)
            return
        seen = with_store(config, partial(_see, config))
    except StoreError as error:
        advice = remedies.opening(error, commands)
        yield Finding(check="database", state="failing", found=f"cannot be used: {error.message}", advice=advice)
        return
    yield from findings.in_store(seen, commands)
    yield machine.sqlite(seen.engine)
    if seen.formats:
        yield machine.schema(seen.formats)
        yield machine.journal(seen.formats, commands)


async def _see(config: Config, store: Store) -> Seen:
    looked = await look(store, SystemClock().wall_ms())
    formats: tuple[Format, ...] = ()
    with contextlib.suppress(StoreError):  # told as the database's or the archive's
        formats = await store.status.formats()
    return Seen(
        looked=looked,
        condition=assess(looked, providers_off=config.fallback.off),
        why=await _why(store) if looked.database == "down" else "",
        formats=formats,
        engine=store.status.engine(),
    )


async def _why(store: Store) -> str:
    """What keeps the database from being used, in words that are not for everybody who may ask for /health."""
    damage = store.status.damage()
    if damage is not None:
        return f"since {iso(damage.at)}, met at {damage.where or 'a time unknown'}: {damage.said}"
    try:
        await store.status.check(seconds=LOCK_SECONDS)
        await store.status.figures()
        await store.status.roles()
        await store.mishaps.since(0)
    except StoreError as error:
        return error.message
    return ""


# Deep


def _deep(config: Config, commands: Commands) -> Iterator[Finding]:
    tidy = known(config.folder) is None
    yield _read_through("deep atlas", config.folder / config.database.path, commands.database, commands, tidy=tidy)
    archive = config.folder / config.database.archive_path
    if archive.exists():  # it is told as missing already
        yield _read_through("deep archive", archive, commands.archive, commands, tidy=True)


def _read_through(check: str, path: Path, quoted: str, commands: Commands, *, tidy: bool) -> Finding:
    clock, length = SystemClock(), findings.size(file_size(check, path).database)
    begun = clock.monotonic()
    if sys.stderr.isatty():
        output.complaint(f"reading {path} through, {length}…")
    try:
        faults = examine(path, tidy=tidy)
    except StoreError as error:
        faults = (error.message,)
    if faults:
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        told = "; ".join(faults[:FAULTS_SHOWN]) + more
        return Finding(check=check, state="failing", found=told, advice=remedies.restore(quoted, commands))
    took = clock.monotonic() - begun
    return Finding(check=check, state="ok", found=f"{length} read through in {took:.1f} s, all of it is sound")
