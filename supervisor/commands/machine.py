"""What `atlas doctor` finds under Atlas: its settings, Python, SQLite, how the databases are kept, the resolver."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import sys
import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from pipeline.store.migrate import SCHEMA_VERSION
from pipeline.store.status import Format
from supervisor.commands.findings import Finding
from supervisor.commands.remedies import Commands
from supervisor.config import Loaded

_NAME: Final = re.compile(r"[\w.-]+")  # of a package, at the beginning of a requirement
STUB: Final = (
    "only if systemd is to run the worker: apt install systemd-resolved,"
    " ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf"
)


def settings(loaded: Loaded, commands: Commands) -> tuple[Finding, ...]:
    """A finding for each warning. Faults have ended the command before."""
    if loaded.warnings:
        return tuple(_warned(warning, commands) for warning in loaded.warnings)
    changed = sum(each.origin != "default" for each in loaded.settings)
    return (Finding(check="config", state="ok", found=f"{len(loaded.settings)} settings, {changed} changed"),)


def _warned(warning: str, commands: Commands) -> Finding:
    what, _, advice = warning.partition("; ")
    return Finding(check="config", state="warning", found=what, advice=advice or commands.atlas("config show"))


def python(project: Path) -> Finding:
    """With the packages that the project file asks for."""
    found = f"{'.'.join(map(str, sys.version_info[:3]))}, {sys.executable}"
    with project.open("rb") as file:
        wanted = [_NAME.match(each) for each in tomllib.load(file)["project"]["dependencies"]]
    missing = [match[0] for match in wanted if match is not None and not _is_installed(match[0])]
    if not missing:
        return Finding(check="python", state="ok", found=f"{found}, with all {len(wanted)} packages")
    return Finding(
        check="python",
        state="failing",
        found=f"{found}. Packages are missing: {', '.join(missing)}",
        advice="install them anew: rm -f .venv/atlas.stamp; ./tools/atlas doctor",
    )


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def sqlite(engine: str) -> Finding:
    """Opening the store has refused one that loses data."""
    return Finding(check="sqlite", state="ok", found=engine)


def schema(formats: Sequence[Format]) -> Finding:
    """One that this release could not use has kept the store from opening."""
    found = ", ".join(f"{each.name} {each.schema}" for each in formats)
    if all(each.schema <= SCHEMA_VERSION for each in formats):
        return Finding(check="schema", state="ok", found=found)
    return Finding(
        check="schema",
        state="warning",
        found=f"{found}. A newer release has been here; this one knows {SCHEMA_VERSION}, and can still use it",
        advice="nothing now; before the newer release runs again: git pull",
    )


def journal(formats: Sequence[Format], commands: Commands) -> Finding:
    """`wal`, as PRAGMA journal_mode answers it."""
    others = [each for each in formats if each.journal != "wal"]
    if not others:
        return Finding(check="journal", state="ok", found="wal")
    return Finding(
        check="journal",
        state="failing",
        found=", ".join(f"{each.name} {each.journal}" for each in others)
        + ". Without a write-ahead log readers and writers keep each other waiting",
        advice=f"something else has changed it, or the disk is no local one: df -T {commands.folder}",
    )


def resolver(path: Path) -> Finding:
    """Under systemd the worker may send nothing to private addresses, so names need a resolver on this machine."""
    servers = nameservers(path)
    named = ", ".join(servers)
    if servers and all(_is_local(each) for each in servers):
        return Finding(check="resolver", state="ok", found=f"{named}, on this machine")
    what = f"{named}: not on this machine" if servers else f"none is named in {path}"
    if any(each.startswith("169.254.") for each in servers):
        what = f"{named}: the cloud's own, at an address that Atlas may never fetch from"
    told = f"{what}. Under systemd the worker can ask no resolver at a private address"
    return Finding(check="resolver", state="warning", found=told, advice=STUB)


def nameservers(path: Path) -> tuple[str, ...]:
    """The addresses in a resolv.conf; none when there is no such file."""
    with contextlib.suppress(OSError):
        lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        return tuple(parts[1] for parts in lines if len(parts) > 1 and parts[0] == "nameserver")
    return ()


def _is_local(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
