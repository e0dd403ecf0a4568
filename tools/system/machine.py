"""The machine under an installation: commands run on it, what it must be, and one such job at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LEAST_SYSTEMD = 252
STUB_ADDRESS = "127.0.0.53"  # systemd-resolved
# The words of supervisor/commands/machine.py (a test compares them).
STUB = "apt install systemd-resolved, ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf"
UNAVAILABLE, TRY_LATER, CONFIG = 69, 75, 78  # of supervisor/exits.py


class Refused(Exception):
    """It cannot go on: what, and what to do about it."""

    def __init__(self, what: str, hint: str = "", *, code: int = UNAVAILABLE) -> None:
        super().__init__(what)
        self.what, self.hint, self.code = what, hint, code


def main(job: Callable[[], None]) -> int:
    """Run `job` as the whole of a command: its exit code, with a refusal said in a line."""
    os.umask(0o022)
    try:
        job()
    except Refused as refused:
        say_error(refused.what + (f" ({refused.hint})" if refused.hint else ""))
        return refused.code
    except OSError as error:  # the disk is full, or read-only
        say_error(str(error))
        return TRY_LATER if error.errno in (errno.ENOSPC, errno.EDQUOT) else UNAVAILABLE
    except KeyboardInterrupt:
        say_error("interrupted; the same command goes on from here")
        return 130
    return 0


def say(text: str) -> None:
    _tell(sys.stdout, text)


def say_error(text: str) -> None:
    _tell(sys.stderr, f"atlas: {text}")


def _tell(stream: TextIO, text: str) -> None:
    """Whoever reads along may have hung up: what is being done is done to its end all the same."""
    try:
        print(text, file=stream, flush=True)
    except OSError:
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def run(
    *command: str | Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 120,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a command of the system to its end. Refused when it fails (with `check`), with its own last words."""
    told = [str(part) for part in command]
    surroundings = {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"} | dict(environment or {})
    try:
        ran = subprocess.run(
            told,
            env=surroundings,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise Refused(f"{told[0]} is missing on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise Refused(f"`{' '.join(told)}` did not end within {seconds:g} s") from error
    if check and ran.returncode != 0:
        words = (ran.stderr.strip() or ran.stdout.strip()).splitlines()[-8:]
        raise Refused("\n".join([f"`{' '.join(told)}` ended with status {ran.returncode}:", *words]))
    return ran


def systemctl(*arguments: str, seconds: float = 120, check: bool = True) -> str:
    """Its standard output."""
    return run("systemctl", *arguments, seconds=seconds, check=check).stdout.strip()


# What must be


def need_root(command: str) -> None:
    if os.geteuid() != 0:
        raise Refused(f"run it as root: sudo just {command}")


def is_booted() -> bool:
    """Whether systemd runs this machine (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def need_systemd() -> None:
    if not is_booted():
        raise Refused("systemd does not run this machine", "without it: ./tools/atlas up")
    found = re.match(r"systemd (\d+)", systemctl("--version"))
    if found is None or int(found[1]) < LEAST_SYSTEMD:
        raise Refused(f"systemd {found[1] if found else '?'} is too old: {LEAST_SYSTEMD} is the least (Debian 12)")


def nameservers(path: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """The addresses in a resolv.conf; none when there is no such file."""
    with contextlib.suppress(OSError):
        lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        return tuple(parts[1] for parts in lines if len(parts) > 1 and parts[0] == "nameserver")
    return ()


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def need_resolver(servers: Sequence[str]) -> None:
    """The worker may send nothing to private addresses, the resolver's included, unless it is on this machine."""
    if not servers or not all(map(is_loopback, servers)):
        found = ", ".join(servers) or "none"
        raise Refused(
            f"the resolver in /etc/resolv.conf ({found}) is not on this machine, and the worker may send nothing to"
            " private addresses: it would resolve no name",
            f"{STUB}; or, if you know better: --no-resolver-check",
        )


@contextlib.contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Install, deploy, rollback and uninstall: one at a time. The kernel frees the lock, however the process ends."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(
                "another installation or deployment runs on this machine", "wait for its end", code=TRY_LATER
            ) from error
        yield
    finally:
        os.close(descriptor)
