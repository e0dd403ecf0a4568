"""Root starts the roles on another user's data folder: real processes, with a Python that user can read and without."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.exits import Exit
from supervisor.instance import Instance, environment

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can work for somebody else")
OTHER = pwd.getpwnam("nobody")
PAGE = "<title>Storm</title><article><h1>Storm</h1>" + "<p>The lamp went out in the storm of that winter.</p>" * 30


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of `nobody`, and reachable for it: pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory() as reachable:
        Path(reachable).chmod(0o755)
        folder = Path(reachable) / "data"
        folder.mkdir(mode=0o700)
        os.chown(folder, OTHER.pw_uid, OTHER.pw_gid)
        yield folder


@pytest.fixture
def closed_python(folder: Path) -> Path:
    """Our Python under a folder that only root may enter."""
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", closed], check=True)
    closed.chmod(0o700)
    return lend_packages(closed)


@pytest.fixture
def open_python(folder: Path) -> Path:
    """The system's Python in an environment that everybody can read, with our packages."""
    system = shutil.which(f"python{sys.version_info[0]}.{sys.version_info[1]}", path="/usr/bin:/usr/local/bin")
    if system is None or not others_can("x", Path(system)) or not others_can("r", Path(packages()) / "msgspec"):
        pytest.skip("no Python of this version, with our packages, that others can read")
    made = folder.parent / "open"
    subprocess.run([system, "-m", "venv", "--without-pip", made], check=True)
    return lend_packages(made)


def packages() -> str:
    return sysconfig.get_path("purelib")


def lend_packages(venv: Path) -> Path:
    (next(venv.glob("lib/python*/site-packages")) / "lent.pth").write_text(packages())
    return venv / "bin" / "python"


def others_can(what: str, path: Path) -> bool:
    asking = ["/usr/bin/test", f"-{what}", path]
    return subprocess.call(asking, user=OTHER.pw_uid, group=OTHER.pw_gid, extra_groups=[]) == 0


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize("role", ["up", "worker", "api", "scheduler", "demo"])
def test_a_role_whose_owner_cannot_read_the_python_says_so_in_one_line_and_writes_nothing(
    folder: Path, closed_python: Path, free_port: int, role: str
) -> None:
    ran = subprocess.run(
        [closed_python, "-P", "-m", "supervisor", role, "--data", folder, "--port", str(free_port)],
        env=environment({"ATLAS_CONFIG": os.devnull, "ATLAS_ENV_FILE": os.devnull}),
        cwd="/", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (Exit.CONFIG, "")
    (line,) = ran.stderr.splitlines()
    assert f"{folder} belongs to nobody" in line
    assert str(closed_python) in line
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_up_serves_fetches_and_parses_for_the_owner_and_leaves_no_file_of_roots(
    folder: Path, open_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(open_python))
    logs = folder.parent / "logs"
    logs.mkdir()
    (logs / "storm.html").write_text(PAGE)
    settings = {"ATLAS_NET_ALLOW_NETWORKS": "127.0.0.1/32", "TMPDIR": "/tmp", "ATLAS_DATA_DIR": str(folder)}
    site = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", logs, "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert site.stdout is not None
        port = site.stdout.readline().split(" port ")[1].split()[0]
        with Instance(logs, settings=settings) as atlas:
            assert atlas.up is not None
            assert Path(f"/proc/{atlas.up.pid}").stat().st_uid == OTHER.pw_uid
            atlas.ask("POST", "/api/v1/items", {"url": f"http://127.0.0.1:{port}/storm.html"})
            atlas.up.wait_for(lambda: atlas.items()[0]["state"] == "done", seconds=60, what="reading the page")
        assert owners(folder) == {OTHER.pw_uid}
    finally:
        site.kill()
        site.communicate()


@pytest.mark.slow
def test_the_demo_works_for_the_owner_of_its_folder(folder: Path, open_python: Path) -> None:
    ran = subprocess.run(
        [open_python, "-P", "-m", "supervisor", "demo", "--once", "--data", folder],
        env=environment({}), cwd="/", capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert ran.returncode == Exit.OK, ran.stdout + ran.stderr
    assert owners(folder) == {OTHER.pw_uid}


@pytest.mark.parametrize("command", ["up", "worker", "api", "scheduler", "status"])
def test_a_data_folder_that_cannot_be_written_is_one_line_and_69(
    folder: Path, open_python: Path, free_port: int, command: str
) -> None:
    folder.chmod(0o555)
    settings = environment({"ATLAS_CONFIG": os.devnull, "ATLAS_ENV_FILE": os.devnull})
    ran = subprocess.run(
        [open_python, "-P", "-m", "supervisor", command, "--data", folder, "--port", str(free_port)],
        env=settings, cwd="/", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (Exit.UNAVAILABLE, "")
    (line,) = ran.stderr.splitlines()
    assert "Permission denied" in line
    assert f"{folder}/" in line
