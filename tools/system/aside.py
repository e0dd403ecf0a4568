"""A command of a release, run as the services run theirs: by systemd, as their user, in a sandbox, without network."""

from __future__ import annotations

import subprocess

from tools.system.layout import Layout
from tools.system.machine import SYSTEM_PATH, Refused
from tools.system.machine import run as run_here
from tools.system.release import Release

UNIT = "atlas-aside.service"
_SYSTEMD_RUN = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={UNIT}")
SANDBOX = {
    "User": "atlas",
    "Group": "atlas",
    "UMask": "0077",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateNetwork": "yes",  # what a rehearsal's worker would fetch stays unfetched
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "MemoryMax": "2G",
    "CPUWeight": "50",  # what runs comes first
    "LimitCORE": "0",
}


def run(layout: Layout, release: Release, *command: str, seconds: int, what: str) -> str:
    """What the command printed. Refused, with its own words, when it ends otherwise than well or takes too long.

    One at a time: what a call before has left, because it was killed, is ended first.
    """
    run_here("systemctl", "stop", UNIT, check=False)
    properties = SANDBOX | {
        "ReadWritePaths": f"{layout.data} {layout.backups}",
        "LoadCredential": f"ATLAS:{layout.credentials}",
        "RuntimeMaxSec": str(seconds),
    }
    told = [f"--property={name}={value}" for name, value in properties.items()]
    told += [f"--setenv={name}={value}" for name, value in layout.environment.items() if name != "RUNTIME_DIRECTORY"]
    try:
        ran = subprocess.run(
            [*_SYSTEMD_RUN, *told, str(release.launcher), *command],
            env={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    except BaseException:
        run_here("systemctl", "stop", UNIT, check=False)
        raise
    if ran.returncode != 0:
        said = (ran.stderr or ran.stdout).strip().removeprefix("atlas: ")
        raise Refused(f"{what}: {said or f'it ended with status {ran.returncode}'}", code=max(1, ran.returncode))
    return ran.stdout
