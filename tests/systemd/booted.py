"""A real systemd, booted for a test: systemd-nspawn on an overlay of this machine, which is left as it is.

The test drives it from outside: commands by nsenter, requests by threads that have entered its network.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SIZE = "6g"  # of the overlay's upper layer, in memory; a release is 300 MB
BOOT_SECONDS = 60.0
_CLONE_NEWNET = 0x40000000
_KEPT_WANTS = {"dbus.service", "systemd-user-sessions.service"}
_MASKED = (
    "getty.target",
    "console-getty.service",
    "systemd-logind.service",
    "systemd-networkd-wait-online.service",
    "NetworkManager-wait-online.service",
    "network-online.target",
)


def missing() -> str | None:
    """Why no systemd can be booted here; None when one can."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("systemd-nspawn", "nsenter", "mount"):
        if shutil.which(program, path=PATH) is None:
            return f"{program} is missing (apt install systemd-container dbus)"
    return None


class Failed(AssertionError):
    """A command inside ended otherwise than it should."""


class Booted:
    """One machine: `boot()`, `shut_down()`, boot again; `close()` forgets all of it."""

    def __init__(self, folder: Path, name: str = "atlas-test") -> None:
        self.folder = folder
        self.name = f"{name}-{os.getpid()}"
        self.root = folder / "root"
        self.boots = 0
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._threads: ThreadPoolExecutor | None = None
        self._cgroups = [hierarchy / self.name for hierarchy in _hierarchies()]
        layers = folder / "layers"
        for made in (self.root, layers):
            made.mkdir()
        _mount("-t", "tmpfs", "-o", f"mode=0755,size={SIZE}", "tmpfs", layers)
        for layer in ("upper", "work"):
            (layers / layer).mkdir()
        _mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={layers}/upper,workdir={layers}/work", "overlay", self.root)
        self._forget_the_machine()

    # Its life

    def boot(self) -> float:
        """Boot it and wait until all that it starts by itself is started; the seconds that took."""
        begun = time.monotonic()
        # A cgroup of its own: two machines in one would share each other's services, down to the packet filters.
        enter = 'for folder; do mkdir -p "$folder" && echo $$ >"$folder/cgroup.procs"; done; exec $NSPAWN'
        command = ["systemd-nspawn", "--boot", "--directory", self.root, "--machine", self.name, "--quiet"]
        command += ["--register=no", "--keep-unit", "--private-network", "--link-journal=no"]
        command += ["--resolv-conf=off", "--timezone=off", "--settings=no", "--system-call-filter=bpf"]
        with (self.folder / "console").open("ab") as console:
            self._nspawn = subprocess.Popen(
                ["sh", "-ec", enter, "sh", *self._cgroups],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": PATH, "NSPAWN": " ".join(map(str, command)), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                start_new_session=True,
            )
        self.boots += 1
        self._leader = self.until(self._find_leader, seconds=10, what="the first process")
        self.until(self._is_up, seconds=BOOT_SECONDS, what="the end of the boot")
        self._threads = ThreadPoolExecutor(16, initializer=self.enter_network)
        return time.monotonic() - begun

    def shut_down(self, *, seconds: float = 60.0) -> float:
        """Power it off in order; the seconds that took."""
        begun = time.monotonic()
        assert self._nspawn is not None
        self.run("systemctl", "poweroff", check=False)
        self._nspawn.wait(seconds)
        self._gone()
        return time.monotonic() - begun

    @property
    def is_running(self) -> bool:
        return self._threads is not None

    def close(self) -> None:
        """Pull the plug, and leave nothing of it."""
        if self._nspawn is not None and self._nspawn.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                # The first process of its namespace: all others die with it.
                os.kill(self._leader or self._nspawn.pid, signal.SIGKILL)
            self._nspawn.terminate()
            self._nspawn.wait(20)
        self._gone()
        for mounted in (self.root, self.folder / "layers"):
            subprocess.run(["umount", "--lazy", mounted], check=True, capture_output=True)
        for folder in self._cgroups:
            for each in sorted(folder.rglob("*/"), reverse=True):
                with contextlib.suppress(OSError):  # files in it are the kernel's
                    each.rmdir()
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _gone(self) -> None:
        self._nspawn, self._leader = None, 0
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._threads = None

    def _find_leader(self) -> int:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            raise Failed(f"systemd-nspawn ended:\n{self.console()}")
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        return next((int(child) for child in children if _is_init(child)), 0)

    def _is_up(self) -> bool:
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in {"running", "degraded"}

    # What is done inside

    def run(
        self,
        *command: str | Path,
        environment: Mapping[str, str] | None = None,
        seconds: float = 60,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root; Failed with what it printed when it fails (with `check`)."""
        enter = ["nsenter", "--target", str(self._leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        ran = subprocess.run(
            [*enter, "--root", "--wd", "timeout", str(seconds), *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"} | dict(environment or {}),
            timeout=seconds + 10,
            check=False,
        )
        if check and ran.returncode != 0:
            told = " ".join(map(str, command))
            raise Failed(f"`{told}` ended with status {ran.returncode}\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}")
        return ran

    def sh(self, script: str, *, seconds: float = 60) -> str:
        """What a script of the shell printed."""
        return self.run("sh", "-euc", script, seconds=seconds).stdout.strip()

    def systemctl(self, *arguments: str, seconds: float = 90, check: bool = True) -> str:
        return self.run("systemctl", *arguments, seconds=seconds, check=check).stdout.strip()

    def show(self, unit: str, prop: str) -> str:
        """A property of a unit."""
        return self.systemctl("show", "--value", f"--property={prop}", unit)

    def journal(self, *arguments: str) -> str:
        """Lines of its journal, the message alone."""
        return self.run("journalctl", "--no-pager", "--output=cat", *arguments, check=False).stdout

    def console(self) -> str:
        return (self.folder / "console").read_text("utf-8", "replace")[-4000:]

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file inside, with its folders; also while it is off, but for /run, /tmp and /dev, which are its own."""
        place = self._seen_from_inside(path) if self._leader else self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # a symlink would lead to this machine
        place.write_text(text)
        place.chmod(mode)

    def within(self, job: Callable[[], T]) -> T:
        """Call `job` in a thread that has this machine's network: what it connects to is inside."""
        assert self._threads is not None
        return self._threads.submit(job).result()

    def enter_network(self) -> None:
        """The calling thread is in the network of the machine from now on."""
        descriptor = os.open(f"/proc/{self._leader}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)

    def until(self, look: Callable[[], T], *, seconds: float, what: str) -> T:
        """Look again and again until there is something; what there is. Failed after `seconds`."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > deadline:
                raise Failed(f"{what}: not within {seconds:g} s\n{self.console() if self.boots == 0 else ''}")
            pause.wait(0.05)

    def _seen_from_inside(self, path: str) -> Path:
        return Path(f"/proc/{self._leader}/root", path.lstrip("/"))

    # What it does not take over from this machine

    def _forget_the_machine(self) -> None:
        for folder in (
            "opt/atlas",
            "etc/atlas",
            "var/lib/atlas",
            "var/backups/atlas",
            "var/log/journal",
            "var/lib/systemd",
        ):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        units = self.root / "etc/systemd/system"
        for unit in [*units.glob("atlas*"), *units.glob("*.wants/*"), *units.glob("*.requires/*")]:
            if unit.name not in _KEPT_WANTS:
                shutil.rmtree(unit) if unit.is_dir() and not unit.is_symlink() else unit.unlink()
        for name in _MASKED:
            (units / name).unlink(missing_ok=True)
            (units / name).symlink_to("/dev/null")
        (self.root / ".dockerenv").unlink(missing_ok=True)
        (self.root / "var/log/journal").mkdir(parents=True)  # kept from boot to boot
        self.write("etc/resolv.conf", "nameserver 127.0.0.53\n")
        self.write("etc/machine-id", "a71a5000000000000000000000000001\n")
        self.write("etc/hostname", "atlas-test\n")
        self.write("etc/fstab", "")


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _hierarchies() -> list[Path]:
    """Where systemd-nspawn makes its cgroups: version 2, and systemd's own one of version 1 where there is one."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [
        Path(place)
        for _, place, kind, options, *_ in mounts
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(","))
    ]


def _is_init(pid: str) -> bool:
    """Whether it is the first process of a namespace, and systemd already: nspawn has forked before."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        return "Name:\tsystemd\n" in status and any(
            line.split()[-1] == "1"
            for line in status.splitlines()
            if line.startswith("NSpid:") and len(line.split()) > 2
        )
    return False
