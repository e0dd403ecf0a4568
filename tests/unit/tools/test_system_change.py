"""A change of the release that fails: it goes back whatever fails on the way, and what runs is never removed."""

from __future__ import annotations

import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.system import change, deploy, release, services, units
from tools.system.change import Change, NotWell, State
from tools.system.layout import API, WORKER, Layout
from tools.system.machine import Refused
from tools.system.release import MARK, Release
from tools.system.units import Settings

CHOSEN = Settings("127.0.0.1", 7444, ())


def made(layout: Layout, name: str) -> Release:
    folder = layout.releases / name
    folder.mkdir(parents=True)
    (folder / MARK).write_text(f'{{"id": "{name}", "source": "{name}", "interpreter": "python3"}}')
    return Release(name, name, "python3", folder)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A machine whose systemd does nothing, and whose roles run from no release."""
    monkeypatch.setattr(change, "systemctl", lambda *_, **__: "")
    monkeypatch.setattr(change, "state", lambda _: State("active", "running", 0, "", "success"))
    monkeypatch.setattr(change, "nameservers", lambda: ())
    monkeypatch.setattr(units, "install", lambda *_: [])
    monkeypatch.setattr(services, "note", lambda *_: None)
    return Layout(tmp_path)


def raises(error: Exception) -> Callable[..., None]:
    def job(*_: object, **__: object) -> None:
        raise error

    return job


def test_what_fails_on_the_way_back_keeps_nothing_else_from_being_done(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = made(layout, "1-old"), made(layout, "2-new")
    release.switch(layout, old)
    asked: list[str] = []

    def restart(_: Change, role: str, to: Release) -> None:
        asked.append(f"{role} {to.id}")
        if role == WORKER:
            raise NotWell(f"{role} ended as it started")

    monkeypatch.setattr(Change, "_restart", restart)
    monkeypatch.setattr(Change, "_wait_well", lambda *_: None)
    with pytest.raises(NotWell, match="went back to 1-old, which is not well either: atlas-worker"):
        Change(layout, CHOSEN, before=old, after=new).make()
    assert asked == [f"{WORKER} 2-new", f"{WORKER} 1-old", f"{API} 1-old"]
    assert release.current(layout) == old


def test_units_that_cannot_be_written_back_keep_the_roles_from_nothing(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = made(layout, "1-old"), made(layout, "2-new")
    release.switch(layout, old)
    asked: list[str] = []
    monkeypatch.setattr(units, "install", raises(OSError(28, "No space left on device")))
    monkeypatch.setattr(Change, "_restart", lambda _, role, to: asked.append(f"{role} {to.id}"))
    monkeypatch.setattr(Change, "_wait_well", lambda *_: None)
    with pytest.raises(NotWell, match="No space left on device"):
        Change(layout, CHOSEN, before=old, after=new).make()
    assert asked == [f"{WORKER} 1-old", f"{API} 1-old"]
    assert release.current(layout) == old
    assert not layout.previous.is_symlink()  # as before: there is none to roll back to


@pytest.mark.parametrize("is_switched", [True, False])
def test_a_release_that_may_run_is_not_removed_by_the_deploy_that_failed(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, is_switched: bool
) -> None:
    old, new = made(layout, "1-old"), made(layout, "2-new")
    release.switch(layout, old)

    def make(_: Change) -> None:
        if is_switched:
            release.switch(layout, new)
        raise Refused("nobody listens any more")

    for name in ("need_root", "need_systemd"):
        monkeypatch.setattr(deploy, name, lambda *_: None)
    monkeypatch.setattr(deploy, "Layout", lambda: layout)
    monkeypatch.setattr(deploy, "_built", lambda *_: (new, True))
    monkeypatch.setattr(deploy, "_try", lambda *_, **__: None)
    monkeypatch.setattr(units, "settings", lambda *_: CHOSEN)
    monkeypatch.setattr(services, "need_same_address", lambda _: None)
    monkeypatch.setattr(Change, "make", make)
    with pytest.raises(Refused, match="nobody listens"):
        deploy.deploy(Namespace(again=False, no_backup=True))
    assert new.folder.exists() is is_switched
    told = "it is in place, and not known to be well" if is_switched else "what ran before runs"
    assert (layout.opt / "history").read_text().endswith(f"deploy 1-old -> 2-new: failed; {told}\n")


def test_only_the_first_signal_interrupts_so_that_going_back_is_not_cut_off() -> None:
    before = {number: signal.getsignal(number) for number in change.SIGNALS}

    def twice() -> None:
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Refused, match="interrupted by SIGHUP") as error, change.interruptible():
        twice()
    assert error.value.code == 128 + signal.SIGHUP
    assert {number: signal.getsignal(number) for number in change.SIGNALS} == before


def test_whoever_reads_along_may_hang_up(root: Path) -> None:
    script = """
import os
from tools.system.machine import say, say_error
os.read(0, 1)
say("a")
say("b")
say_error("c")
os.write(3, b"done")
"""
    with subprocess.Popen(
        ["sh", "-c", 'exec 3>&1 1>&2; exec "$@"', "sh", sys.executable, "-c", script],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stderr.close()
        running.stdin.write(b"x")
        running.stdin.close()
        assert running.stdout.read() == b"done"
        assert running.wait(30) == 0
