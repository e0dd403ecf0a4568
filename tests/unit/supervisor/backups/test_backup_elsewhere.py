"""Copies elsewhere: only what is good, only what is missing, whole before it is found; deleted by rule only."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from observability.names import Event
from pipeline.errors import BackupBusy, BackupDamaged, BackupFailed
from supervisor.backups import archive, places
from supervisor.backups.elsewhere import Copied, copy, last_copied
from supervisor.backups.folder import Folder
from supervisor.settings import COPY_TO
from tests.unit.supervisor.backups.hands import Hands
from tests.unit.supervisor.library import Library


@pytest.fixture
def there(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere"
    path.mkdir()
    return path


def copied(hands: Hands, to: str) -> Copied:
    other = hands.with_settings(copy_to=to, keep_daily=1, keep_weekly=0, keep_monthly=0)
    return copy(other.config, clock=other.clock, log=hands.heard)


def contents(folder: Path) -> dict[str, bytes]:
    """All that belongs to backups, by its place."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {".lock", "retired.json", "copied.json", "keep me"}
    }


def story(hands: Hands, kept: Library, to: str, seen: Callable[[], dict[str, bytes]]) -> None:
    """What every place must do."""
    few = hands.with_settings(keep_daily=1, keep_weekly=0, keep_monthly=0)
    first = few.make().backup
    assert copied(hands, to).backups == (first.id,)
    assert seen() == contents(few.folder.path)
    for n in range(3):
        kept.keep(1, first=10 + n)
        few.make()
    assert first.id not in few.ids
    done = copied(hands, to)
    assert (done.backups, last_copied(few.folder)) == (tuple(few.ids), done)
    assert seen() == contents(few.folder.path)
    # A folder that was lost here, and started anew, empties nothing there.
    before = seen()
    shutil.rmtree(few.folder.path)
    again = few.make().backup
    copied(hands, to)
    assert before.items() <= seen().items()
    assert f"{again.id}/manifest.json" in seen()


# A folder


def test_a_folder_holds_the_same_and_loses_what_retention_deleted(hands: Hands, kept: Library, there: Path) -> None:
    (there / "20200101T000000Z").mkdir()
    (there / "20200101T000000Z" / "keep me").write_bytes(b"x")
    (there / "holiday.jpg").write_bytes(b"x")
    (there / "keep me").write_bytes(b"x")
    (there / ".partial-photos").mkdir()
    (there / ".partial-20200101T000000Z").mkdir()

    def seen() -> dict[str, bytes]:
        return {name: content for name, content in contents(there).items() if name != "holiday.jpg"}

    story(hands, kept, str(there), seen)
    assert (there / "20200101T000000Z" / "keep me").exists()
    assert (there / "holiday.jpg").exists()
    assert (there / ".partial-photos").exists()
    assert not (there / ".partial-20200101T000000Z").exists()


def test_a_copy_can_be_restored_from_where_it_is(hands: Hands, there: Path) -> None:
    made = hands.make().backup
    copied(hands, str(there))
    listing = Folder(there).listing()
    assert [(backup.id, backup.is_good) for backup in listing.backups] == [(made.id, True)]
    for path in (there / made.id, *(there / made.id).iterdir(), there / "archive"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_only_what_is_missing_is_copied(hands: Hands, there: Path) -> None:
    hands.make()
    copied(hands, str(there))
    before = {path: path.stat().st_ino for path in there.rglob("*") if path.is_file()}
    hands.make()
    copied(hands, str(there))
    assert {path: path.stat().st_ino for path in before} == before


def test_what_did_not_pass_its_check_is_not_copied(hands: Hands, there: Path) -> None:
    good, bad = hands.make().backup, hands.make().backup
    (bad.path / "check.json").unlink()
    assert copied(hands, str(there)).backups == (good.id,)
    (good.path / "check.json").unlink()
    with pytest.raises(BackupFailed, match="nothing to copy"):
        copied(hands, str(there))


def test_a_pack_whose_bytes_have_changed_is_not_spread(hands: Hands, there: Path) -> None:
    hands.make()
    (pack,) = hands.folder.packs()
    pack.write_bytes(pack.read_bytes() + b"x")
    with pytest.raises(BackupDamaged, match="does not match its name"):
        copied(hands, str(there))
    assert contents(there) == {}
    assert hands.heard.of(Event.BACKUP_NOT_COPIED)


def test_merged_packs_go_there_too(hands: Hands, kept: Library, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hands.make()
    copied(hands, str(there))
    monkeypatch.setattr(archive, "SMALL_MOST", 1)
    kept.keep(1, first=10)
    hands.make()
    copied(hands, str(there))
    assert contents(there) == contents(hands.folder.path)
    assert len(Folder(there).packs()) == 1


def test_what_was_lost_or_cut_short_there_comes_again(hands: Hands, there: Path) -> None:
    made = hands.make().backup
    copied(hands, str(there))
    whole = contents(there)
    (there / made.id / "atlas.db.zst").unlink()
    (there / made.id / "manifest.json").write_bytes(b"{")
    (there / made.id / "check.json").unlink()
    (pack,) = Folder(there).packs()
    pack.write_bytes(b"cut")
    copied(hands, str(there))
    assert contents(there) == whole


@pytest.mark.parametrize("where", ["backups", "backups/copy", "backups/archive", "."])
def test_a_copy_among_what_it_is_a_copy_of_is_refused(hands: Hands, where: str) -> None:
    hands.make()
    place = (hands.config.folder / where).resolve()
    place.mkdir(exist_ok=True)
    before = {path for path in hands.config.folder.rglob("*") if path.name != ".lock"}
    with pytest.raises(BackupFailed, match=r"copy_to is .*itself"):
        copied(hands, str(place))
    assert {path for path in hands.config.folder.rglob("*") if path.name != ".lock"} == before


def test_a_disk_that_is_not_mounted_goes_not_unseen(hands: Hands, there: Path) -> None:
    hands.make()
    there.rmdir()
    with pytest.raises(BackupFailed, match="is not there, or is no folder"):
        copied(hands, str(there))
    assert not there.exists()
    with pytest.raises(BackupFailed, match="is the folder of the backups itself"):
        copied(hands, str(hands.folder.path))
    there.mkdir()
    with Folder(there).locked(), pytest.raises(BackupBusy):
        copied(hands, str(there))


def test_without_a_place_it_is_said_where_to_name_one(hands: Hands) -> None:
    with pytest.raises(BackupFailed, match="there is no other place") as caught:
        copied(hands, "")
    assert "[backup] copy_to" in caught.value.hint


@pytest.mark.parametrize(
    "to", ["relative", "ssh:host", "ssh:-oProxyCommand=x:/a", "ssh:a@-b:/a", "rclone:-x:a", "rclone:nothing", "ftp:x:y",
           "ssh:host:-a", "ssh:ho st:/a", "ssh:host:/a\n", "/a\0b"],
)  # fmt: skip
def test_a_place_in_no_form_of_ours_or_that_looks_like_an_option_is_a_fault_of_the_settings(to: str) -> None:
    assert COPY_TO.fullmatch(to) is None


# Programs


@pytest.mark.parametrize(("to", "program"), [("rclone:x:y", "rclone"), ("ssh:a@b:/c", "rsync")])
def test_a_program_that_is_missing_is_named(
    hands: Hands, monkeypatch: pytest.MonkeyPatch, to: str, program: str
) -> None:
    hands.make()
    monkeypatch.setattr(places.shutil, "which", lambda _name: None)
    with pytest.raises(BackupFailed, match=f"{program} is not installed") as caught:
        copied(hands, to)
    assert f"apt install {program}" in caught.value.hint


def test_what_a_program_complains_of_is_told(hands: Hands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hands.make()
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "rclone").write_text("#!/bin/sh\necho 'no such remote' >&2\nexit 7\n")
    (fake / "rclone").chmod(0o700)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    with pytest.raises(BackupFailed, match="rclone ended with 7: no such remote"):
        copied(hands, "rclone:x:y")


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A remote of rclone's that is a folder."""
    if shutil.which("rclone") is None:
        pytest.skip("rclone is not installed")
    config = tmp_path / "rclone.conf"
    config.write_text("[away]\ntype = local\n")
    monkeypatch.setenv("RCLONE_CONFIG", str(config))
    return "rclone:away:"


@pytest.mark.slow
def test_a_remote_of_rclones_holds_the_same_and_loses_what_retention_deleted(
    hands: Hands, kept: Library, there: Path, remote: str
) -> None:
    (there / "keep me").write_bytes(b"x")
    (there / "empty").mkdir()
    story(hands, kept, f"{remote}{there}", lambda: contents(there))
    assert (there / "keep me").exists()
    assert (there / "empty").exists()


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Our own sshd on loopback, which lets one key in; what `ssh:` is followed by to reach it."""
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None or shutil.which("rsync") is None:
        pytest.skip("sshd, ssh or rsync is not installed")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it shuts its children in
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True)
    shutil.copy(keys / "user.pub", keys / "authorized")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (keys / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/authorized\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n"
    )
    (keys / "known").write_text(f"[127.0.0.1]:{port} {(keys / 'host.pub').read_text()}")
    (keys / "ssh_config").write_text(
        f"Host backup.test\n HostName 127.0.0.1\n Port {port}\n IdentityFile {keys}/user\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {keys}/known\n StrictHostKeyChecking yes\n"
    )
    fake = tmp_path / "bin"
    fake.mkdir()
    ssh = shutil.which("ssh")
    (fake / "ssh").write_text(f'#!/bin/sh\nexec {ssh} -F {keys}/ssh_config "$@"\n')
    (fake / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    daemon = subprocess.Popen([program, "-D", "-e", "-f", str(keys / "sshd_config")], stderr=subprocess.PIPE)
    assert daemon.stderr is not None
    try:
        told = daemon.stderr.readline().decode()
        if "listening" not in told:
            pytest.skip(f"sshd does not start here: {told}")
        yield "ssh:backup.test:"
    finally:
        daemon.kill()
        daemon.wait(10)
        daemon.stderr.close()


@pytest.mark.slow
def test_a_machine_behind_ssh_holds_the_same_and_loses_what_retention_deleted(
    hands: Hands, kept: Library, there: Path, sshd: str
) -> None:
    odd = there / "a $(touch pwned) 'place'"
    odd.mkdir()
    (odd / "keep me").write_bytes(b"x")
    (odd / "archive").mkdir()
    (odd / "archive" / "keep me").write_bytes(b"x")
    story(hands, kept, f"{sshd}{odd}", lambda: contents(odd))
    assert (odd / "keep me").exists()
    assert (odd / "archive" / "keep me").exists()
    assert not list(there.rglob("pwned"))
    assert not (Path.cwd() / "pwned").exists()


@pytest.mark.slow
def test_a_machine_that_does_not_answer_is_an_error_and_nothing_waits_for_a_password(
    hands: Hands, sshd: str, tmp_path: Path
) -> None:
    hands.make()
    (tmp_path / "keys" / "authorized").write_text("")
    with pytest.raises(BackupFailed, match=r"rsync ended with \d+: .*Permission denied"):
        copied(hands, f"{sshd}/tmp/nothing")


def test_what_was_copied_last_is_known_and_nonsense_is_as_nothing(hands: Hands, there: Path) -> None:
    hands.make()
    assert last_copied(hands.folder) is None
    done = copied(hands, str(there))
    assert last_copied(hands.folder) == done
    for content in (b"", b"[]", json.dumps({"format": 9}).encode()):
        (hands.folder.path / "copied.json").write_bytes(content)
        assert last_copied(hands.folder) is None
