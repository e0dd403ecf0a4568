"""`atlas backup`: what it prints and how it ends."""

from __future__ import annotations

import io
import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from observability import log
from supervisor.backups import check as checking
from supervisor.cli import main
from supervisor.exits import Exit
from supervisor.settings import Config
from tests.conftest import ROOT
from tests.unit.supervisor.backups.hands import Hands
from tests.unit.supervisor.library import Library


@pytest.fixture
def backup(
    kept: Library, nobodys_settings: None, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Exit code, standard output and standard error of one command; the log goes elsewhere."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["backup", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture(autouse=True)
def _log_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a terminal, where what is printed says it all."""

    def configure(config: Config) -> None:
        log.configure(config.log, "backup", stream=io.StringIO())

    monkeypatch.setattr("supervisor.commands.backup._log", configure)


def test_without_an_action_one_is_made_and_it_says_what_is_in_it(backup: Any) -> None:
    code, out, err = backup()
    assert (code, err) == (Exit.OK, "")
    assert len(out.splitlines()) == 1
    assert " 3 items in " in out
    assert ", 3 new bodies; restored and checked, all in " in out


def test_the_list_is_one_line_each_and_the_newest_first(backup: Any) -> None:
    assert backup("list") == (Exit.OK, "ID\tAGE\tSIZE\tITEMS\tCHECKED\n", "")
    backup()
    backup()
    code, out, err = backup("list")
    head, first, second = out.splitlines()
    assert (code, err, head) == (Exit.OK, "", "ID\tAGE\tSIZE\tITEMS\tCHECKED")
    assert first > second
    assert first.split("\t")[3] == "3"
    assert first.endswith(" s ago")


def test_what_cannot_be_used_is_told_beside_the_list(backup: Any, hands: Hands) -> None:
    backup()
    hands.folder.listing()
    (hands.folder.path / "20200101T000000Z").mkdir()
    code, out, err = backup("list")
    assert (code, len(out.splitlines())) == (Exit.OK, 2)
    assert "20200101T000000Z is no backup that can be used: " in err
    code, out, _ = backup("list", "--json")
    told = json.loads(out)
    assert (code, told["folder"], len(told["backups"])) == (Exit.OK, str(hands.folder.path), 1)
    assert told["strangers"][0]["name"] == "20200101T000000Z"
    assert backup("verify", "--all")[0] == Exit.FAILED
    assert backup("verify", "20200101T000000Z")[0] == Exit.FAILED


def test_one_that_is_good_is_said_to_be_and_one_that_is_not_says_why(backup: Any, hands: Hands) -> None:
    assert backup("verify") == (Exit.FAILED, "", "atlas: there is no backup yet (make one: `atlas backup`)\n")
    backup()
    code, out, err = backup("verify")
    assert (code, err) == (Exit.OK, "")
    assert out.endswith("all 3 items are there\n")
    database = hands.folder.listing().newest().database
    database.write_bytes(database.read_bytes()[:-1])
    code, out, _ = backup("verify", hands.ids[0])
    assert code == Exit.FAILED
    assert out.startswith(f"{hands.ids[0]}: DAMAGED: ")
    assert "DAMAGED" in backup("list")[1]


@pytest.mark.parametrize("wanted", ["../../etc", "/etc/passwd", "20200101T000000Z", "x\ny"])
def test_an_id_that_is_not_there_is_one_line(backup: Any, wanted: str) -> None:
    backup()
    code, out, err = backup("verify", wanted)
    assert (code, out, len(err.splitlines())) == (Exit.FAILED, "", 1)
    assert "choose one of `atlas backup list`" in err


def test_one_that_fails_is_one_line_and_1(backup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "examine", lambda _path: ("page 7 is torn",))
    code, out, err = backup()
    assert (code, out) == (Exit.FAILED, "")
    assert "did not pass its check: page 7 is torn (it is kept in " in err


def test_one_without_the_archive_is_said_to_be_good_and_ends_with_1(backup: Any, kept: Library) -> None:
    kept.archive.unlink()
    code, out, err = backup()
    assert (code, "restored and checked" in out) == (Exit.FAILED, True)
    assert err.splitlines()[0] == "atlas: the backup is good, but: archive.db is missing"
    code, out, _ = backup("--json")
    assert (code, len(json.loads(out)["doubts"])) == (Exit.FAILED, 2)


def test_while_another_works_it_ends_with_75(backup: Any, hands: Hands) -> None:
    with hands.folder.locked():
        for arguments in ((), ("verify",), ("drill",), ("copy",)):
            code, out, err = backup(*arguments)
            assert (code, out) == (Exit.TRY_LATER, "")
            assert "another command works on the backups" in err


def test_the_drill_prints_what_a_restore_takes(backup: Any) -> None:
    assert backup("drill")[0] == Exit.FAILED
    backup()
    code, out, err = backup("drill")
    assert (code, err) == (Exit.OK, "")
    assert "; all is what it was\n" in out


def test_a_copy_says_where_it_is(backup: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup()
    assert "name one in [backup] copy_to" in backup("copy")[2]
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.setenv("ATLAS_BACKUP_COPY_TO", str(there))
    code, out, err = backup("copy")
    assert (code, err) == (Exit.OK, "")
    assert out == f"1 backup with the bodies in 1 pack: all of it is at {there}\n"


def test_options_count_before_the_action_and_after_it(kept: Library, tmp_path: Path, capsys: Any) -> None:
    assert main(["backup", "--data", str(kept.folder)]) == Exit.OK
    for arguments in (["--data", str(kept.folder), "list"], ["list", "--data", str(kept.folder)]):
        capsys.readouterr()
        assert main(["backup", *arguments, "--json"]) == Exit.OK
        assert len(json.loads(capsys.readouterr().out)["backups"]) == 1


def test_the_folder_is_a_setting_relative_to_the_data_or_not(
    backup: Any, kept: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_BACKUP_DIR", str(tmp_path / "other disk"))
    assert backup()[0] == Exit.OK
    assert (tmp_path / "other disk" / "archive").is_dir()
    assert not (kept.folder / "backups").exists()


def test_no_secret_of_settings_or_library_is_in_a_backup_its_names_or_its_log(kept: Library, tmp_path: Path) -> None:
    """S18."""
    token = kept.run(lambda store: store.tokens.create("phone", "admin"))
    link = kept.run(lambda store: store.tokens.sign_in_link())
    secrets = {token, link, "hush-google", "hush-otlp"}
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "ATLAS_DATA_DIR": str(kept.folder),
        "ATLAS_CONFIG": os.devnull,
        "ATLAS_ENV_FILE": os.devnull,
        "ATLAS_LOG_LEVEL": "debug",
        "GOOGLE_SEARCH_API_KEY": "hush-google",
        "ATLAS_TRACE_OTLP_AUTHORIZATION": "hush-otlp",
    }
    said = b""
    for action in ([], ["drill"]):
        command = [sys.executable, "-P", "-m", "supervisor", "backup", *action, "--json"]
        ran = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert ran.returncode == Exit.OK, ran.stderr
        said += ran.stdout + ran.stderr
    for path in (kept.folder / "backups").rglob("*"):
        said += str(path).encode()
        if path.is_file():
            content = path.read_bytes()
            said += content
            said += zstandard.ZstdDecompressor().decompressobj().decompress(content) if path.suffix == ".zst" else b""
    assert b'"event":"backup.made"' in said
    assert [secret for secret in secrets if secret.encode() in said] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work for somebody else")
def test_root_backs_up_somebody_elses_library_as_that_somebody() -> None:
    owner = pwd.getpwnam("nobody").pw_uid
    with tempfile.TemporaryDirectory() as reachable:  # pytest's own folders are closed to others
        Path(reachable).chmod(0o755)
        library = Library(Path(reachable) / "data")
        library.keep(1)
        for path in (library.folder, *library.folder.iterdir()):
            os.chown(path, owner, -1)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "ATLAS_DATA_DIR": str(library.folder)}
        for action in ([], ["drill"]):
            command = [sys.executable, "-P", "-m", "supervisor", "backup", *action]
            ran = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
            assert ran.returncode == Exit.OK, ran.stderr
        assert {path.stat().st_uid for path in library.folder.rglob("*")} == {owner}
