"""The installer's parts that need no systemd: interpreters, resolvers, rendered units, refusals, one at a time."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tools.system import interpreter, services, uninstall, units
from tools.system.health import is_well, wait
from tools.system.layout import Layout
from tools.system.machine import Refused, is_loopback, main, nameservers, need_resolver, only_one, run
from tools.system.release import Release
from tools.system.units import Settings, listen_stream, socket_unit, worker_drop_in

CHOSEN = Settings("127.0.0.1", 7444, ())


def script(folder: Path, *lines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "python3"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that everybody can reach, which those of pytest are not."""
    folder = Path("/tmp", f"atlas-open-{os.getpid()}")
    folder.mkdir(mode=0o755)
    yield folder  # type: ignore[misc]
    shutil.rmtree(folder)


def test_an_interpreter_in_a_home_folder_is_refused_also_behind_a_link(open_folder: Path) -> None:
    for home in interpreter.HOMES:
        assert f"lies in {home}, which" in (interpreter.why_not(Path(home, "1/bin/python3")) or "")
    link = open_folder / "python3"
    link.symlink_to(Path(interpreter.HOMES[1], "python3"))
    assert "which the services do not see" in (interpreter.why_not(link) or "")


def test_a_program_that_leads_to_an_interpreter_elsewhere_is_judged_by_that(open_folder: Path) -> None:
    told = (
        '{"version": [3, 13, 1], "executable": "/home/1/python", "library": "/usr/os.py", "base": "/usr", "venv": true}'
    )
    assert "/home/1/python lies in /home" in (interpreter.why_not(script(open_folder, f"echo '{told}'")) or "")


@pytest.mark.parametrize(
    ("version", "venv", "reason"),
    [("[3, 10, 2]", "true", "it is Python 3.10.2"), ("[3, 12, 0]", "false", "apt install python3-venv")],
)
def test_an_interpreter_that_is_too_old_or_has_no_venv_is_refused(
    open_folder: Path, version: str, venv: str, reason: str
) -> None:
    told = f'{{"version": {version}, "executable": "/bin/sh", "library": "/bin/sh", "base": "/usr", "venv": {venv}}}'
    assert reason in (interpreter.why_not(script(open_folder, f"echo '{told}'")) or "")


def test_what_does_not_run_cannot_be_reached_or_has_no_full_path_is_refused(open_folder: Path) -> None:
    assert interpreter.why_not(script(open_folder, "exit 1")) == "it does not run"
    (open_folder / "python3").chmod(0o700)
    assert "cannot be read by other users" in (interpreter.why_not(open_folder / "python3") or "")
    assert interpreter.why_not(Path("python3")) == "give its full path"


def test_the_first_good_one_is_taken_and_with_none_each_is_named_with_its_reason(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "SYSTEM_PATH", "/nowhere")
    bad, good = script(open_folder / "bad", "exit 1"), script(open_folder / "good")
    told = '{"version": [3, 12, 0], "executable": "/bin/sh", "library": "/bin/sh", "base": "/usr", "venv": true}'
    good.write_text(f"#!/bin/sh\necho '{told}'\n")
    assert interpreter.choose(None, f"{bad.parent}:{good.parent}") == good
    with pytest.raises(Refused, match=f"{bad}: it does not run"):
        interpreter.choose(None, str(bad.parent))
    with pytest.raises(Refused, match="lies in /home"):
        interpreter.choose("/home/1/python3", str(good.parent))


def test_a_resolver_must_be_on_this_machine(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("# of a router\nnameserver 127.0.0.53\nnameserver ::1\noptions edns0\n")
    assert nameservers(conf) == ("127.0.0.53", "::1")
    assert nameservers(tmp_path / "none") == ()
    need_resolver(("127.0.0.53", "::1"))
    for bad in ((), ("192.168.1.1",), ("127.0.0.53", "1.1.1.1")):
        with pytest.raises(Refused) as refused:
            need_resolver(bad)
        assert "apt install systemd-resolved" in refused.value.hint
    assert not is_loopback("fe80::1%eth0")


def test_the_socket_is_rendered_where_the_configuration_says(root: Path) -> None:
    template = (root / "systemd/atlas-api.socket").read_text()
    assert socket_unit(template, CHOSEN) == template
    elsewhere = socket_unit(template, Settings("::1", 8080, ()))
    assert "ListenStream=[::1]:8080\n" in elsewhere
    assert "7444" not in elsewhere
    assert listen_stream("", 80) == "0.0.0.0:80"
    assert listen_stream("localhost", 80) == "127.0.0.1:80"
    with pytest.raises(Refused, match="cannot be resolved"):
        listen_stream("no-such-host.invalid", 80)


def test_the_worker_may_reach_what_the_configuration_allows_and_a_resolver_elsewhere_on_this_machine() -> None:
    assert worker_drop_in(CHOSEN, ("127.0.0.53",)) == ""
    told = worker_drop_in(Settings("127.0.0.1", 7444, ("10.0.0.0/8",)), ("127.0.0.1", "127.0.0.53"))
    assert [line for line in told.splitlines() if "=" in line] == [
        "IPAddressAllow=127.0.0.1",
        "IPAddressAllow=10.0.0.0/8",
    ]


def test_units_are_written_once_and_those_of_another_release_are_removed(root: Path, tmp_path: Path) -> None:
    layout, release = Layout(tmp_path), Release("1", "1", "/usr/bin/python3", root)
    layout.units.mkdir(parents=True)
    (layout.units / "atlas-gone.service").write_text("[Unit]\nDescription=Atlas: what another release had\n")
    (layout.units / "atlas-maps.service").write_text("[Unit]\nDescription=Somebody else's\n")
    written = units.install(layout, release, CHOSEN, ("127.0.0.53",))
    assert {"atlas-api.socket", "atlas-worker.service", "atlas-gone.service", "alert"} <= set(written)
    assert not (layout.units / "atlas-gone.service").exists()
    assert (layout.units / "atlas-maps.service").exists()
    assert layout.units / "atlas-maps.service" not in uninstall.files(layout)
    assert layout.units / "atlas-api.service" in uninstall.files(layout)
    assert units.install(layout, release, CHOSEN, ("127.0.0.53",)) == []
    assert units.install(layout, release, Settings("127.0.0.1", 80, ("10.0.0.0/8",)), ()) == [
        "atlas-api.socket",
        "10-configuration.conf",
    ]
    assert units.install(layout, release, CHOSEN, ()) == ["atlas-api.socket", "10-configuration.conf"]
    assert not layout.worker_drop_in.exists()
    assert os.access(layout.command, os.X_OK)
    assert f"exec {layout.current}/tools/atlas" in layout.command.read_text()


def test_a_refusal_is_one_line_and_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def job() -> None:
        raise Refused("it is too late", "come tomorrow", code=75)

    assert main(job) == 75
    assert capsys.readouterr().err == "atlas: it is too late (come tomorrow)\n"
    assert main(lambda: None) == 0


def test_a_disk_that_is_full_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    def job() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/opt/atlas/lock")

    assert main(job) == 75
    assert capsys.readouterr().err == "atlas: [Errno 28] No space left on device: '/opt/atlas/lock'\n"


def test_a_port_that_another_program_has_is_refused_before_the_socket_is_stopped(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = Settings("127.0.0.1", free_port, ())
    monkeypatch.setattr(services, "_listens", lambda: "127.0.0.1:1")
    services.need_free_address(chosen)
    with socket.create_server(("127.0.0.1", free_port)):
        with pytest.raises(Refused, match=f"127.0.0.1:{free_port} cannot be listened on: Address already in use"):
            services.need_free_address(chosen)
        monkeypatch.setattr(services, "_listens", lambda: f"127.0.0.1:{free_port}")
        services.need_free_address(chosen)


def test_a_configuration_that_the_services_cannot_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    layout.etc.mkdir(parents=True)
    layout.config.write_text("")
    asked: list[tuple[object, ...]] = []

    def refused(*command: object, check: bool) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(units, "run", refused)
    with pytest.raises(Refused, match="the user atlas, as whom the services run, cannot read") as error:
        units.settings(layout, Release("1", "1", "python3", tmp_path))
    assert error.value.code == 78
    assert asked == [("runuser", "-u", "atlas", "--", "test", "-r", layout.config)]


def test_what_is_removed_for_good_is_removed_also_behind_a_symlink(tmp_path: Path) -> None:
    real, link = tmp_path / "disk/atlas", tmp_path / "atlas"
    real.mkdir(parents=True)
    (real / "atlas.db").write_text("private")
    link.symlink_to(real)
    uninstall.purge(link)
    assert (real.exists(), link.is_symlink()) == (False, False)


def test_what_could_not_be_removed_is_not_told_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "atlas.db").write_text("private")
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(Refused, match="could be removed: 1 files are left"):
        uninstall.purge(tmp_path)


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(Refused, match=r"(?s)`sh -c .*` ended with status 3:\nno room"):
        run("sh", "-c", "echo no room >&2; exit 3")
    with pytest.raises(Refused, match="no-such-program is missing on this machine"):
        run("no-such-program")
    with pytest.raises(Refused, match=r"did not end within 0\.1 s"):
        run("sleep", "5", seconds=0.1)


def test_a_second_installation_at_the_same_time_is_refused(tmp_path: Path) -> None:
    with (
        only_one(tmp_path / "opt" / "lock"),
        pytest.raises(Refused, match="another installation"),
        only_one(tmp_path / "opt" / "lock"),
    ):
        pass
    with only_one(tmp_path / "opt" / "lock"):
        pass


def test_what_is_not_well_is_told_with_what_it_answered(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Settings("127.0.0.1", free_port, ())
    assert not is_well(nowhere)
    with pytest.raises(Refused, match="ConnectionRefusedError"):
        wait(nowhere, 0.0)


def test_the_scripts_say_what_they_do_without_root_or_systemd(root: Path) -> None:
    for name in ("install", "uninstall"):
        told = run(sys.executable, root / f"tools/system/{name}.py", "--help").stdout
        assert "--" in told
        assert told.startswith(f"usage: just {name}")
