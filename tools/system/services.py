"""The services of an installation: enabled, started, and started again only when they are not what they should be."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

from tools.system.layout import API, ENABLED, SOCKET, TIMERS, WORKER, Layout
from tools.system.machine import CONFIG, Refused, systemctl
from tools.system.release import Release
from tools.system.units import Settings, listen_stream

_IP_FREEBIND = 15  # as FreeBind= in atlas-api.socket: an address that the machine gets later
_STATE = "started"  # under /opt/atlas: what the services were last started with


def bring_up(layout: Layout, release: Release) -> bool:
    """Enable and start everything; whether roles that ran were started anew, because release or units are others.

    What they were started with is noted last, so that after a death on the way the next call starts them again.
    """
    systemctl("daemon-reload")
    systemctl("enable", "--quiet", *ENABLED)
    systemctl("reset-failed", "atlas-*", check=False)
    noted = layout.opt / _STATE
    wanted, before = state(layout, release), _read(noted)
    is_same = before == wanted
    if before.partition("\n")[0] != wanted.partition("\n")[0]:
        systemctl("stop", SOCKET, API)  # a socket that is told another port listens nowhere until it is started anew
    systemctl("start", SOCKET)
    if is_same:
        systemctl("start", WORKER, API)
    else:
        restart()
    systemctl("start", *TIMERS)
    note(layout, release)
    return not is_same


def note(layout: Layout, release: Release) -> None:
    """The services run with this release and the units as they are now."""
    (layout.opt / _STATE).write_text(state(layout, release), encoding="utf-8")


def need_same_address(chosen: Settings) -> None:
    """Refused when the configuration names another address than the socket listens on: that needs a restart of it."""
    wanted, listens = listen_stream(chosen.host, chosen.port), _listens()
    if listens != wanted:
        found = f"atlas-api.socket listens on {listens}" if listens else "atlas-api.socket does not listen"
        raise Refused(f"{found}, and the configuration says {wanted}", "first: sudo just install-system --units")


def need_free_address(chosen: Settings) -> None:
    """Refused when another program has the port: the socket would be stopped, and listen nowhere."""
    listens, wanted = _listens(), listen_stream(chosen.host, chosen.port)
    if listens.rpartition(":")[2] == str(chosen.port):
        return  # what has it is the socket itself
    host = wanted.rpartition(":")[0].strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        try:
            tried.bind((host, chosen.port))
        except OSError as error:
            what = f"[api] {wanted} cannot be listened on: {error.strerror}"
            raise Refused(what, "choose another port, or stop what uses it", code=CONFIG) from error


def restart() -> None:
    """The worker, then the api, whose connections meanwhile wait in the socket."""
    systemctl("restart", WORKER)
    systemctl("restart", API)


def state(layout: Layout, release: Release) -> str:
    """Two lines: the first changes when the socket's unit does, the second when the release or any unit does."""
    total, port = hashlib.sha256(release.id.encode()), hashlib.sha256()
    for path in unit_files(layout):
        told = f"{path}\0".encode() + path.read_bytes()
        total.update(told)
        if SOCKET in str(path):
            port.update(told)
    return f"{port.hexdigest()}\n{total.hexdigest()}\n"


def unit_files(layout: Layout) -> list[Path]:
    """Every unit of ours, with all that was added to it."""
    return sorted(
        path for pattern in ("atlas-*.*", "atlas-*.d/*.conf") for path in layout.units.glob(pattern) if path.is_file()
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _listens() -> str:
    """Where the socket listens now; empty when it does not."""
    if systemctl("is-active", SOCKET, check=False) != "active":
        return ""
    return systemctl("show", "--property=Listen", "--value", SOCKET).partition(" ")[0]
