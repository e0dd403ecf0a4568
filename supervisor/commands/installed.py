"""Whether the units that install-system has put on this machine still say what the configuration says."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from gateway.settings import ApiSettings
from supervisor.config import Loaded
from supervisor.sources import CONFIG_FILE

UNITS: Final = Path("/etc/systemd/system")
CONFIG: Final = Path("/etc/atlas/config.toml")
SOCKET: Final = "atlas-api.socket"
MEND: Final = "sudo /opt/atlas/current/tools/system/install.py --units"


def mismatch(
    loaded: Loaded, given: Path | None, environ: Mapping[str, str] = os.environ, *, units: Path = UNITS
) -> str | None:
    """Where atlas-api.socket listens, when that is not where the configuration says; None when all is well.

    `given` is --config. A configuration other than the system's says nothing of the system's units.
    """
    named = given or Path(environ.get(CONFIG_FILE, ""))
    if os.path.realpath(named) != os.path.realpath(CONFIG) or not (units / SOCKET).is_file():
        return None
    api = loaded.config.api
    listens = list(_streams(units))
    if len(listens) == 1 and _fits(listens[0], api):
        return None
    where = ", ".join(listens) or "nowhere"
    return f"{SOCKET} listens on {where}, and the configuration says {api.host}:{api.port}"


def _streams(units: Path) -> Iterator[str]:
    """Every ListenStream= of the unit and of what was added to it; an empty one forgets those before it."""
    found: list[str] = []
    for path in (units / SOCKET, *sorted((units / f"{SOCKET}.d").glob("*.conf"))):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "ListenStream":
                found = [*found, value.strip()] if value.strip() else []
    yield from found


def _fits(listens: str, api: ApiSettings) -> bool:
    host, _, port = listens.rpartition(":")
    if port != str(api.port):
        return False
    address = host.strip("[]") or "::"  # a port alone is every address
    wanted = api.host or "0.0.0.0"  # noqa: S104 - what an empty host means
    with contextlib.suppress(OSError, ValueError):
        if not _is_address(wanted):
            wanted = str(socket.getaddrinfo(wanted, None, socket.AF_INET)[0][4][0])
        return ipaddress.ip_address(address) == ipaddress.ip_address(wanted)
    return False


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
