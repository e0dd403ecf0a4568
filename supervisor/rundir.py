"""The folder for sockets: short, private, and the same for all processes that work on one data folder."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import ConfigError, Fault

# sun_path holds 108 bytes with the zero at its end.
LONGEST_SOCKET_PATH = 107


def run_dir(runtime_directory: str | None, xdg_runtime_dir: str | None, temp: Path, data_dir: Path) -> Path:
    """The folder, made when it is missing (0700). Raises ConfigError when somebody else owns it.

    `runtime_directory` is systemd's (it may name several: the first is ours), used as it is.
    """
    if runtime_directory:
        return Path(runtime_directory.split(":")[0])
    xdg = Path(xdg_runtime_dir) if xdg_runtime_dir else None
    base = xdg if xdg is not None and os.access(xdg, os.W_OK | os.X_OK) else temp
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    return _private(base / f"atlas-{name}")


def run_dir_from(environ: Mapping[str, str], data_dir: Path) -> Path:
    """The folder as the environment says."""
    temp = Path(environ.get("TMPDIR") or tempfile.gettempdir())
    return run_dir(environ.get("RUNTIME_DIRECTORY"), environ.get("XDG_RUNTIME_DIR"), temp, data_dir)


def socket_path(folder: Path, name: str) -> Path:
    """The path of a socket. Raises ConfigError when it is too long for one."""
    path = folder / name
    length = len(os.fsencode(path))
    if length > LONGEST_SOCKET_PATH:
        raise _refused(path, f"{length} bytes are too long for a socket path, {LONGEST_SOCKET_PATH} is the most")
    return path


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    # Not through a link: in a shared temp folder anyone may have put one there.
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode):
        raise _refused(folder, "it is not a folder")
    if seen.st_uid != os.geteuid():
        raise _refused(folder, f"it belongs to uid {seen.st_uid}, not to {os.geteuid()}")
    if stat.S_IMODE(seen.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def _refused(path: Path, what: str) -> ConfigError:
    fault = Fault(
        where=str(path), what=what, hint="set RUNTIME_DIRECTORY or XDG_RUNTIME_DIR to a short folder of your own"
    )
    return ConfigError(f"{path} cannot be used for sockets: {what}", faults=(fault,), hint=fault.hint)
