"""library.lock: whoever opens the library shares it, a restore has it alone, and nobody holds it who is dead."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pipeline import errors
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.store.library import LOCK, UNFINISHED, WAIT_SECONDS, alone, holders, shared_now
from tests.conftest import ROOT
from tests.store.hands import TestClock

HOLDS = """
import sys
from pathlib import Path
from pipeline.store.library import alone, shared_now
kinds = {"alone": alone, "shared": shared_now}
with kinds[sys.argv[2]](Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def opened(folder: Path) -> AbstractAsyncContextManager[Store]:
    return open_store(
        DatabaseSettings(), QueueSettings(), RetrySettings(), folder=folder, clock=TestClock(), inline=True
    )


@contextlib.contextmanager
def holding(folder: Path, kind: str):
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDS, str(folder), kind],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        yield child
    finally:
        child.kill()
        child.communicate()


async def test_stores_share_the_library_and_nobody_has_it_alone_meanwhile(tmp_path: Path) -> None:
    async with opened(tmp_path), opened(tmp_path):
        with pytest.raises(errors.LibraryHeld, match=rf"is in use by pid {os.getpid()}") as refused, alone(tmp_path):
            pass
    assert "systemctl stop" in refused.value.hint
    assert refused.value.retryable
    with alone(tmp_path):
        assert holders(tmp_path) == (f"pid {os.getpid()}",)


async def test_while_a_restore_has_it_whoever_opens_it_waits_and_then_comes_back_later(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    with alone(tmp_path):
        began = trio.current_time()
        with pytest.raises(errors.LibraryHeld, match="is being restored") as refused:
            async with opened(tmp_path):
                pass
        assert WAIT_SECONDS <= trio.current_time() - began < WAIT_SECONDS + 1
        assert refused.value.retryable
        with pytest.raises(errors.LibraryHeld), shared_now(tmp_path):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK], "nothing was made"  # noqa: ASYNC240


async def test_a_restore_that_ends_in_time_costs_whoever_waits_no_more_than_that(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def restores(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with alone(tmp_path):
            task_status.started()
            await trio.sleep(2)

    async with trio.open_nursery() as nursery:
        await nursery.start(restores)
        async with opened(tmp_path):
            assert 2 <= trio.current_time() < 3


async def test_a_restore_that_was_cut_off_keeps_everybody_out_and_nothing_is_made_in_its_place(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).write_text("{}")
    with pytest.raises(errors.RestoreUnfinished) as refused:
        async with opened(tmp_path):
            pass
    assert "atlas restore" in refused.value.hint
    with pytest.raises(errors.RestoreUnfinished), shared_now(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, UNFINISHED]  # noqa: ASYNC240


@pytest.mark.parametrize("kind", ["alone", "shared"])
def test_kill_9_frees_it(tmp_path: Path, kind: str) -> None:
    with holding(tmp_path, kind) as child:
        with pytest.raises(errors.LibraryHeld, match=str(child.pid)), alone(tmp_path):
            pass
        child.kill()
        child.wait(10)
        with alone(tmp_path):
            pass


def test_no_child_process_inherits_it(tmp_path: Path) -> None:
    with shared_now(tmp_path):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with alone(tmp_path):
            pass
    finally:
        child.kill()
        child.wait(10)


def test_a_name_that_is_a_link_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.StoreUnreadable, match=r"library\.lock"), shared_now(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_where_no_lock_can_be_made_opening_says_what_is_wrong_and_a_restore_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuses(*_arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("pipeline.store.library.os.open", refuses)
    with shared_now(tmp_path):
        pass
    with pytest.raises(errors.StoreUnreadable, match=r"open .*library\.lock"), alone(tmp_path):
        pass


def test_a_full_disk_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipeline.store.library.os.open", refuses)
    with pytest.raises(errors.StoreFull), shared_now(tmp_path):
        pass
