"""Releases: a folder each, of a checkout and its own environment, and the symlink that says which one runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.system.layout import Layout
from tools.system.machine import SYSTEM_PATH, Refused, is_booted, run, say, systemctl

MARK = "release.json"  # written last: a folder without it is half a release
SCOPE = "atlas-build.scope"  # what a build starts is in one cgroup, to be ended together
LOCK = "requirements.lock"
PACKAGES = ("supervisor", "gateway", "stages", "pipeline", "observability")
BUILD_SECONDS = 900.0
# What a checkout holds beside what is tracked, at its top or anywhere.
_NOT_AT_TOP = {".git", "data", "logs", ".env", "config.toml", "backups", "htmlcov", MARK}
_NOWHERE = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis"}
_PASSED_ON = ("PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True)
class Release:
    """A complete release. `source` is the commit, or the checksum of a checkout without one."""

    id: str
    source: str
    interpreter: str
    folder: Path

    @property
    def launcher(self) -> Path:
        return self.folder / "tools/atlas"


@dataclass(frozen=True)
class Checkout:
    """What a release is built from. `commit` is empty where there is no git."""

    folder: Path
    commit: str
    source: str
    is_dirty: bool

    @classmethod
    def at(cls, folder: Path, ref: str = "HEAD") -> Checkout:
        """The checkout in `folder` at a commit. Refused when git does not know `ref`."""
        if not (folder / ".git").exists():
            return cls(folder, "", _checksum(folder), is_dirty=False)
        command = (*_git_in(folder), "rev-parse", "--quiet", "--verify", "--end-of-options", f"{ref}^{{commit}}")
        found = run(*command, check=False)
        if found.returncode == 1:
            raise Refused(f"{ref!r} is no commit, branch or tag of {folder}", "fetched it? git fetch")
        commit = (found if found.returncode == 0 else run(*command)).stdout.strip()
        dirty = ref == "HEAD" and bool(_git(folder, "status", "--porcelain"))
        return cls(folder, commit, commit, is_dirty=dirty)


def _git(folder: Path, *arguments: str) -> str:
    return run(*_git_in(folder), *arguments).stdout.strip()


def _git_in(folder: Path) -> tuple[str, ...]:
    # Root may look into the checkout of somebody else, whom it trusts to have what it is to install.
    return ("git", "--no-optional-locks", "-c", f"safe.directory={folder}", "-C", str(folder))


# Building


def build(layout: Layout, checkout: Checkout, interpreter: Path) -> Release:
    """The release of this checkout, made unless it is there. Removes what an interrupted build has left.

    Killed anywhere: what it left has no mark, is no release, and is removed by the next build.
    """
    layout.releases.mkdir(parents=True, exist_ok=True)
    sweep(layout)
    for release in releases(layout):
        if (release.source, release.interpreter) == (checkout.source, str(interpreter)):
            return release
    folder = layout.releases / _new_id(layout, checkout)
    folder.mkdir()
    say(f"building the release {folder.name} with {interpreter} (a minute for new packages)")
    try:
        _fill(folder, checkout)
        _take_environment(layout, folder, interpreter)
        _environment(folder, interpreter)
        release = Release(folder.name, checkout.source, str(interpreter), folder)
        told = {name: value for name, value in asdict(release).items() if name != "folder"}
        _write_last(folder / MARK, json.dumps(told) + "\n")
    except BaseException:
        sweep(layout)  # at once: what filled the disk would keep it full
        raise
    return release


def _new_id(layout: Layout, checkout: Checkout) -> str:
    """UTC time and short commit: in order by name. A second of the same second gets a number."""
    made = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{checkout.source[:7]}"
    names = [made, *(f"{made}-{number}" for number in range(2, 100))]
    return next(name for name in names if not (layout.releases / name).exists())


def _fill(folder: Path, checkout: Checkout) -> None:
    if not checkout.commit:
        for path in _tree(checkout.folder):
            target = folder / path.relative_to(checkout.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)
            if not target.is_symlink():
                target.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        return
    git = ["git", "-c", f"safe.directory={checkout.folder}", "-c", "tar.umask=0022", "-C", str(checkout.folder)]
    environment = {"PATH": SYSTEM_PATH, "HOME": "/root"}
    with subprocess.Popen([*git, "archive", checkout.commit], stdout=subprocess.PIPE, env=environment) as archive:
        tar = ["tar", "-x", "--no-same-owner", "-C", str(folder)]
        unpacked = subprocess.run(tar, stdin=archive.stdout, env=environment, check=False)
    if archive.returncode or unpacked.returncode:
        raise Refused(f"the checkout could not be copied to {folder} (the reason stands above)")


def _take_environment(layout: Layout, folder: Path, interpreter: Path) -> None:
    """A copy of the .venv of a release with the same lock file and interpreter: seconds in place of a minute, and
    without the package index, which may be down when a release has to be mended."""
    lock = _lock(folder)
    for known in reversed(releases(layout)):
        is_same = known.interpreter == str(interpreter) and _lock(known.folder) == lock
        if lock and is_same and (known.folder / ".venv").is_dir():
            run(*_scope(), "cp", "-a", "--reflink=auto", known.folder / ".venv", folder, seconds=BUILD_SECONDS)
            return


def _lock(folder: Path) -> bytes:
    path = folder / LOCK
    return path.read_bytes() if path.is_file() else b""


def _environment(folder: Path, interpreter: Path) -> None:
    """.venv by the release's own launcher, compiled, because the services may write nothing there."""
    passed = {name: value for name, value in os.environ.items() if name.upper().startswith(_PASSED_ON)}
    passed = {name: value for name, value in passed.items() if not name.startswith("UV_PYTHON")}
    surroundings = passed | {"ATLAS_PYTHON": str(interpreter), "UV_LINK_MODE": "copy"}
    run(*_scope(), folder / "tools/atlas", "--version", environment=surroundings, cwd=folder, seconds=BUILD_SECONDS)
    python = folder / ".venv/bin/python"
    run(python, "-I", "-m", "compileall", "-q", *PACKAGES, "tools", cwd=folder)
    run(python, "-I", "-m", "compileall", "-q", ".venv/lib", cwd=folder, check=False, seconds=300)
    (folder / ".venv.guard").unlink(missing_ok=True)


def _scope() -> tuple[str, ...]:
    """What puts a command into the scope, for it outlives a killed installer."""
    return ("systemd-run", "--quiet", "--collect", "--scope", f"--unit={SCOPE}") if is_booted() else ()


def _write_last(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _tree(folder: Path) -> Iterator[Path]:
    """The files of a checkout, in order, without environments, data, secrets and caches."""
    for top, folders, files in os.walk(folder):
        at_top = Path(top) == folder
        dropped = _NOWHERE | (_NOT_AT_TOP if at_top else set())
        folders[:] = sorted(each for each in folders if each not in dropped and not each.startswith(".venv"))
        for name in sorted(files):
            if name not in dropped and not name.startswith(".venv"):
                yield Path(top, name)


def _checksum(folder: Path) -> str:
    total = hashlib.sha256()
    for path in _tree(folder):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        total.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


# What there is


def releases(layout: Layout) -> list[Release]:
    """The complete releases, oldest first."""
    found = []
    for mark in sorted(layout.releases.glob(f"*/{MARK}")):
        told = json.loads(mark.read_text(encoding="utf-8"))
        found.append(Release(told["id"], told["source"], told["interpreter"], mark.parent))
    return found


def current(layout: Layout) -> Release | None:
    """The release that `current` leads to."""
    return _behind(layout, layout.current)


def previous(layout: Layout) -> Release | None:
    return _behind(layout, layout.previous)


def _behind(layout: Layout, link: Path) -> Release | None:
    name = link.readlink().name if link.is_symlink() else None
    return next((each for each in releases(layout) if each.id == name), None)


def switch(layout: Layout, release: Release) -> bool:
    """Make `release` the current one, and the one before it `previous`; whether that changed anything."""
    before = current(layout)
    if before is not None and before.id == release.id:
        return False
    if before is not None:
        point(layout.previous, before)
    point(layout.current, release)
    return True


def point(link: Path, release: Release) -> None:
    new = link.with_name(link.name + ".new")
    new.unlink(missing_ok=True)
    new.symlink_to(Path("releases", release.id))
    new.replace(link)  # atomic: there is no moment without a link


def remove(release: Release) -> None:
    """For good. Killed on the way, the next build removes the rest."""
    (release.folder / MARK).unlink()  # half removed, it is no release any more
    shutil.rmtree(release.folder)


def sweep(layout: Layout) -> None:
    """Remove what an interrupted build has left: its processes, which outlive a killed installer, and its files."""
    if is_booted():
        systemctl("stop", SCOPE, check=False)
    for folder in layout.releases.glob("*"):
        if folder.is_dir() and not (folder / MARK).is_file():
            shutil.rmtree(folder)


def prune(layout: Layout, keep: int) -> list[str]:
    """Remove all but the newest `keep` releases, and never the current or previous one; the ids of those removed."""
    needed = {each.id for each in (current(layout), previous(layout)) if each is not None}
    others = [each for each in releases(layout) if each.id not in needed]
    removed = others[: max(0, len(others) - max(0, keep - len(needed)))]
    for release in removed:
        remove(release)
    return [each.id for each in removed]
