"""The services of an installation: enabled, started, and started again only when they are not what they should be."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tools.system.layout import API, ENABLED, SOCKET, TIMERS, WORKER, Layout
from tools.system.machine import systemctl
from tools.system.release import Release
from tools.system.units import Settings, listen_stream

_STATE = "started"  # under /opt/atlas: what the services were last started with


def bring_up(layout: Layout, release: Release, chosen: Settings) -> bool:
    """Enable and start everything; whether roles that ran were started anew, because release or units are others.

    What they were started with is noted last, so that after a death on the way the next call starts them again.
    """
    systemctl("daemon-reload")
    systemctl("enable", "--quiet", *ENABLED)
    systemctl("reset-failed", "atlas-*", check=False)
    wanted, noted = state(layout, release), layout.opt / _STATE
    is_same = noted.is_file() and noted.read_text(encoding="utf-8") == wanted
    if _listens() not in ("", listen_stream(chosen.host, chosen.port)):
        systemctl("stop", SOCKET, API)
    systemctl("start", SOCKET)
    if is_same:
        systemctl("start", WORKER, API)
    else:
        restart()
    systemctl("start", *TIMERS)
    noted.write_text(wanted, encoding="utf-8")
    return not is_same


def restart() -> None:
    """The worker, then the api, whose connections meanwhile wait in the socket."""
    systemctl("restart", WORKER)
    systemctl("restart", API)


def state(layout: Layout, release: Release) -> str:
    """Changes when the release or a unit does."""
    total = hashlib.sha256(release.id.encode())
    for path in unit_files(layout):
        total.update(f"{path}\0".encode() + path.read_bytes())
    return total.hexdigest() + "\n"


def unit_files(layout: Layout) -> list[Path]:
    """Every unit of ours, with all that was added to it."""
    return sorted(
        path for pattern in ("atlas-*.*", "atlas-*.d/*.conf") for path in layout.units.glob(pattern) if path.is_file()
    )


def _listens() -> str:
    """Where the socket listens now; empty when it does not."""
    if systemctl("is-active", SOCKET, check=False) != "active":
        return ""
    return systemctl("show", "--property=Listen", "--value", SOCKET).partition(" ")[0]
