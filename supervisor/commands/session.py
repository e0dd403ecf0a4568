"""What most commands begin with: the settings, and the store of the data folder, with the worker rung afterwards."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from supervisor.commands import output
from supervisor.config import Loaded, load
from supervisor.settings import Config

if TYPE_CHECKING:  # commands that need no store start without it
    from pipeline.store.handle import Store

T = TypeVar("T")

_RESOURCES = ("importlib.readers", "importlib.resources.readers", "importlib.resources._adapters")  # the last by 3.13
_FOREIGN = "encodings.unicode_escape"  # control characters in foreign text are written with it
_LATER = ("supervisor.doorbell", "anyio._backends._trio", "anyio.abc", _FOREIGN, *_RESOURCES)
_LATER_ON_A_TERMINAL = ("rich.box", "rich.console", "rich.progress", "rich.table", "rich.text", "rich._emoji_codes")


def overrides(args: argparse.Namespace) -> dict[tuple[str, str], str]:
    """The settings that were given as options."""
    given = {("data", "dir"): args.data, ("api", "port"): args.port}
    return {setting: str(value) for setting, value in given.items() if value is not None}


def load_settings(args: argparse.Namespace, *, quiet: bool = False) -> Loaded:
    """The configuration under the options of this call; warnings go to standard error. Raises ConfigError."""
    loaded = load(flags=overrides(args), file=args.config)
    for warning in () if quiet else loaded.warnings:
        output.complaint(warning)
    return loaded


def with_store(config: Config, job: Callable[[Store], Awaitable[T]], *, news: bool = False) -> T:
    """Run `job` on the store of the data folder; `news`: it leaves work, so ring the worker if one listens.

    Root works as the owner of the folder, so that no file of root's is left in it.
    """
    import trio

    from pipeline.clock import SystemClock
    from pipeline.store.handle import open_store
    from supervisor.doorbell import ring

    as_owner(config)

    async def run() -> T:
        async with open_store(
            config.database, config.queue, config.retry, folder=config.folder, clock=SystemClock()
        ) as store:
            return await job(store)

    done = trio.run(run)
    if news and not ring(config.folder, "worker") and sys.stderr.isatty():
        output.complaint("it is kept; no worker runs here that would fetch it now: start `atlas up`")
    return done


def as_owner(config: Config) -> None:
    """Root becomes the owner of the data folder, with all loaded that the owner may not be able to read."""
    from supervisor.ownership import become_owner

    if os.geteuid() == 0:
        _load_ahead()
    become_owner(config.folder)


def _load_ahead() -> None:
    """What would be imported later: the owner of the folder may not be able to read the Python that root runs."""
    is_terminal = sys.stdout.isatty() or sys.stderr.isatty()
    for name in _LATER + (_LATER_ON_A_TERMINAL if is_terminal else ()):
        import_module(name)
    if is_terminal:
        from rich.cells import cell_len

        cell_len("漢")  # which table of widths is loaded then depends on the environment


def read_lines() -> list[str]:
    """Standard input, as text lines; bytes that are no UTF-8 stay visible as escapes."""
    return sys.stdin.buffer.read().decode("utf-8-sig", errors="backslashreplace").splitlines()
