"""The units and snippets of a release, put where systemd and others look for them; only what differs is written."""

from __future__ import annotations

import ipaddress
import json
import socket
from dataclasses import dataclass
from pathlib import Path

from tools.system.layout import SOCKET, Layout
from tools.system.machine import CONFIG, STUB_ADDRESS, Refused, run
from tools.system.release import Release

USER = "atlas"
_OURS = "Description=Atlas: "  # in each unit of ours, and of any release
_LISTEN = "ListenStream=127.0.0.1:7444\n"
_COMMAND = """\
#!/bin/sh
# Atlas as it is installed on this machine (install-system wrote this file).
{exports}
exec {launcher} "$@"
"""


@dataclass(frozen=True)
class Settings:
    """What of the configuration concerns systemd and the kernel."""

    host: str
    port: int
    allow_networks: tuple[str, ...]


def settings(layout: Layout, release: Release) -> Settings:
    """The installation's settings as this release reads them. Refused with every fault when it does not accept them."""
    _need_readable(layout.config)
    ran = run(release.launcher, "config", "check", environment=layout.environment, check=False)
    if ran.returncode != 0:
        raise Refused(ran.stderr.strip().removeprefix("atlas: "), code=ran.returncode or CONFIG)
    told = json.loads(run(release.launcher, "config", "show", "--json", environment=layout.environment).stdout)
    values = {(each["section"], each["key"]): each["value"] for each in told}
    allowed = values["net", "allow_networks"]
    return Settings(values["api", "host"], values["api", "port"], tuple(allowed))


def _need_readable(config: Path) -> None:
    """Root reads everything, and the roles, when they are started anew, do not."""
    if config.exists() and run("runuser", "-u", USER, "--", "test", "-r", config, check=False).returncode != 0:
        what = f"the user {USER}, as whom the services run, cannot read {config}"
        raise Refused(what, f"sudo chmod a+r {config}; secrets belong in {config.parent / 'credentials'}", code=CONFIG)


def listen_stream(host: str, port: int) -> str:
    """ADDRESS:PORT for ListenStream, which takes no names. Refused for a name without an IPv4 address."""
    if host == "":
        host = "0.0.0.0"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.getaddrinfo(host, None, socket.AF_INET)[0][4][0])
        except OSError as error:
            raise Refused(f"[api] host {host} cannot be resolved: {error}", "write an address", code=CONFIG) from error
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def socket_unit(template: str, chosen: Settings) -> str:
    """atlas-api.socket for [api] host and port."""
    assert template.count(_LISTEN) == 1, "atlas-api.socket has another ListenStream than the default"
    return template.replace(_LISTEN, f"ListenStream={listen_stream(chosen.host, chosen.port)}\n")


def worker_drop_in(chosen: Settings, resolvers: tuple[str, ...]) -> str:
    """What the worker may reach beside the Internet; empty when that is the usual resolver alone."""
    allowed = [each for each in resolvers if each != STUB_ADDRESS] + list(chosen.allow_networks)
    if not allowed:
        return ""
    lines = [f"IPAddressAllow={each}" for each in dict.fromkeys(allowed)]
    head = "# Of the resolver in /etc/resolv.conf and [net] allow_networks; written by install-system."
    return "\n".join([head, "[Service]", *lines, ""])


def install(layout: Layout, release: Release, chosen: Settings, resolvers: tuple[str, ...]) -> list[str]:
    """Write what differs; the names of the files written or removed. Killed anywhere, it can be done again."""
    source = release.folder / "systemd"
    files: dict[Path, tuple[str, int]] = {}
    for unit in sorted(source.glob("atlas-*.*")):
        text = unit.read_text(encoding="utf-8")
        files[layout.units / unit.name] = (socket_unit(text, chosen) if unit.name == SOCKET else text, 0o644)
    for name, target in layout.snippets.items():
        files[target] = ((source / name).read_text(encoding="utf-8"), 0o755 if name == "alert" else 0o644)
    exports = "\n".join(f"export {name}={value}" for name, value in layout.environment.items())
    files[layout.command] = (_COMMAND.format(exports=exports, launcher=layout.current / "tools/atlas"), 0o755)
    files[layout.worker_drop_in] = (worker_drop_in(chosen, resolvers), 0o644)
    written = [path.name for path, (text, mode) in files.items() if _write(path, text, mode)]
    for stale in _stale(layout, source):
        stale.unlink()
        written.append(stale.name)
    return written


def _stale(layout: Layout, source: Path) -> list[Path]:
    """Units of ours that this release does not have any more."""
    known = {unit.name for unit in source.glob("atlas-*.*")}
    return [path for path in ours(layout) if path.name not in known]


def ours(layout: Layout) -> list[Path]:
    """The units that we have written, and none that somebody else has called atlas-SOMETHING."""
    found = [path for path in layout.units.glob("atlas-*.*") if path.is_file() and not path.is_symlink()]
    return [path for path in found if _OURS in path.read_text(encoding="utf-8", errors="replace")]


def _write(path: Path, text: str, mode: int) -> bool:
    """Whether it had to be written (or, with an empty text, removed)."""
    if not text:
        existed = path.exists()
        path.unlink(missing_ok=True)
        return existed
    if path.is_file() and path.read_text(encoding="utf-8") == text and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(mode)
    new.replace(path)
    return True
