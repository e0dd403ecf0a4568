"""What an installation needs inside a booted machine without network: a checkout, the packages, `just`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.systemd.booted import PATH, Booted
from tools.system.release import _tree as files_without_git

CHECKOUT = "/srv/atlas"
WHEELS = "/srv/wheels"
PYTHON = Path("/usr/bin/python3")  # Debian's own
_COMMIT = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet", "--all"]


def missing() -> str | None:
    """Why Atlas cannot be installed inside; None when it can."""
    asked = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    ran = subprocess.run([PYTHON, "-I", "-c", asked], capture_output=True, check=False) if PYTHON.exists() else None
    if ran is None or ran.returncode != 0:
        return f"{PYTHON} 3.11 or newer with its venv module is missing (apt install python3 python3-venv)"
    return None if shutil.which("git", path=PATH) else "git is missing"


def prepare(machine: Booted) -> None:
    """The working tree as a commit in CHECKOUT, its packages where pip finds them, and `just`."""
    target = machine.root / CHECKOUT.lstrip("/")
    shutil.rmtree(target, ignore_errors=True)
    for path in _tracked():
        place = target / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
    git(target, "git", "init", "--quiet", "--initial-branch=main")
    commit(target, "The working tree")
    folder = machine.root / WHEELS.lstrip("/")
    shutil.copytree(wheels(), folder, dirs_exist_ok=True)
    machine.write("/etc/pip.conf", f"[global]\nno-index = true\nfind-links = {WHEELS}\n")
    for name in ("etc/xdg/pip/pip.conf", "root/.config/pip/pip.conf", "root/.pip/pip.conf"):
        (machine.root / name).unlink(missing_ok=True)
    just = shutil.which("just", path=str(Path(sys.executable).parent)) or shutil.which("just")
    assert just is not None, "just is among the development tools"
    shutil.copy(just, machine.root / "usr/local/bin/just")


def commit(checkout: Path, message: str) -> str:
    """Commit all that there is in a checkout; the commit."""
    git(checkout, "git", "add", "--all")
    git(checkout, *_COMMIT, "--allow-empty", "--message", message)
    return git(checkout, "git", "rev-parse", "HEAD")


def git(checkout: Path, *command: str) -> str:
    environment = {"PATH": PATH, "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    ran = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def wheels() -> Path:
    """A folder with everything that requirements.lock names, for Debian's Python; downloaded once a lock file."""
    lock = ROOT / "requirements.lock"
    key = hashlib.sha256(lock.read_bytes() + _version()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"atlas-wheels-{os.getuid()}-{key}"
    if not folder.is_dir():
        unfinished = Path(tempfile.mkdtemp(prefix="atlas-wheels-"))
        download = ["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([PYTHON, *download, "-r", lock, "-d", unfinished], check=True, capture_output=True, timeout=600)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    return folder


def _version() -> bytes:
    return subprocess.run([PYTHON, "--version"], capture_output=True, check=True).stdout


def _tracked() -> list[Path]:
    """The files of the working tree: tracked or new, none that git ignores."""
    if not (ROOT / ".git").exists():
        return list(files_without_git(ROOT))
    listed = git(
        ROOT, "git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"
    )
    return [path for path in map(ROOT.joinpath, listed.split("\0")) if path.is_file() and path.name]
