"""Root becomes the owner of the data folder: in a process of its own, for there is no way back."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.ownership import become_owner

WORK = """
import os, sys
from pathlib import Path
from supervisor.ownership import become_owner
folder = Path(sys.argv[1])
print(become_owner(folder), os.getresuid(), os.getresgid(), os.getgroups())
(folder / "sub").mkdir(parents=True)
(folder / "sub" / "file").write_text("x")
try:
    os.seteuid(0)
except PermissionError:
    print("no way back")
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def work(folder: Path, root: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-P", "-c", WORK, folder], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(root)}, timeout=30)  # fmt: skip
    return done.stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Reachable for others: pytest's own folders are closed to all but their user."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and parent.name.startswith(("pytest-", "popen-", "test_")):
            parent.chmod(0o755)
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


CLOSED = """
import sys
from pathlib import Path
from pipeline.errors import ConfigError
from supervisor import ownership
ownership._NEEDED = (sys.argv[2],)
try:
    ownership.live_as_owner(Path(sys.argv[1]))
except ConfigError as error:
    print(error.message)
else:
    print("fine")
"""


@AS_ROOT
@pytest.mark.parametrize(("uid", "name"), [(pwd.getpwnam("nobody").pw_uid, "nobody"), (12345, "uid 12345")])
def test_an_owner_who_cannot_read_the_python_is_named_with_what_he_cannot_read(folder, root, uid, name):
    os.chown(folder, uid, 12346)
    closed = folder / "closed"
    closed.touch(mode=0o600)
    for path, told in ((closed, f"{folder} belongs to {name}, who cannot read {closed}"), (folder, "fine")):
        done = subprocess.run([sys.executable, "-P", "-c", CLOSED, folder, path], capture_output=True, text=True,
                              check=True, env={"PYTHONPATH": str(root)}, timeout=30)  # fmt: skip
        assert done.stdout == f"{told}\n"


@AS_ROOT
def test_what_root_makes_in_the_data_folder_belongs_to_its_owner(folder, root):
    os.chown(folder, 12345, 12346)
    told = work(folder, root)
    assert told == ["12345 (12345, 12345, 12345) (12346, 12346, 12346) []", "no way back"]
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in [folder, *folder.rglob("*")]}
    assert owners == {(12345, 12346)}


@AS_ROOT
def test_an_owner_known_to_the_machine_brings_its_own_groups(folder, root):
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, 0)
    told = work(folder, root)
    groups = os.getgrouplist("nobody", nobody.pw_gid)
    assert told[0] == f"{nobody.pw_uid} {(nobody.pw_uid,) * 3} {(nobody.pw_gid,) * 3} {groups}"
    assert (folder / "sub" / "file").stat().st_gid == nobody.pw_gid


@AS_ROOT
def test_roots_own_folder_leaves_root_as_it_is(folder, root):
    assert work(folder, root)[0].startswith("None (0, 0, 0)")


@AS_ROOT
def test_a_folder_that_does_not_exist_leaves_root_as_it_is(folder, root):
    assert work(folder / "later", root)[0].startswith("None (0, 0, 0)")
    assert (folder / "later").stat().st_uid == 0


def test_anybody_else_stays_who_they_are(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert become_owner(tmp_path) is None
