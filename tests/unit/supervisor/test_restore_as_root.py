"""Root restores somebody else's library: as that somebody, with nothing imported late and no file of root's left."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from supervisor.exits import Exit
from tests.conftest import ROOT
from tests.unit.supervisor.library import Library


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work for somebody else")
def test_root_restores_as_the_owner_and_leaves_no_file_of_its_own() -> None:
    owner = pwd.getpwnam("nobody").pw_uid
    with tempfile.TemporaryDirectory() as reachable:  # pytest's own folders are closed to others
        Path(reachable).chmod(0o755)
        library = Library(Path(reachable) / "data")
        library.keep(1)
        for path in (library.folder, *library.folder.iterdir()):
            os.chown(path, owner, -1)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "ATLAS_DATA_DIR": str(library.folder)}

        def run(*arguments: str) -> str:
            command = [sys.executable, "-P", "-m", "supervisor", *arguments]
            ran = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
            assert ran.returncode == Exit.OK, ran.stderr
            return ran.stdout

        backup = json.loads(run("backup", "--json"))["backup"]["id"]
        library.archive.unlink()
        assert json.loads(run("restore", backup, "--json"))["archive"] == "rebuilt"
        run("recheck")
        assert {path.stat().st_uid for path in library.folder.rglob("*")} == {owner}
