"""Doorbells and the folder they hang in, on real sockets and both event loops."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest
import trio

from pipeline.errors import ConfigError
from supervisor.doorbell import Doorbell, door, listen, ring
from supervisor.rundir import run_dir, socket_path

ON_BOTH_LOOPS = pytest.mark.parametrize("on", [trio.run, lambda job: asyncio.run(job())], ids=["trio", "asyncio"])
On = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Shorter than tmp_path: socket paths end at 107 bytes."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@ON_BOTH_LOOPS
def test_a_ring_wakes_the_one_who_waits(on: On, folder):
    async def run() -> None:
        async with listen(folder / "w.bell") as bell, anyio.create_task_group() as group:

            async def wait() -> None:
                assert await bell.wait(30)

            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            Doorbell(folder / "w.bell").ring()

    on(run)


@ON_BOTH_LOOPS
def test_a_ring_before_the_wait_is_not_lost_and_many_rings_are_one_wake(on: On, folder):
    async def run() -> None:
        async with listen(folder / "w.bell") as bell:
            door = Doorbell(folder / "w.bell")
            for _ in range(5):
                door.ring()
            assert await bell.wait(30)
            assert not await bell.wait(0.01)

    on(run)


@ON_BOTH_LOOPS
def test_without_a_ring_the_wait_ends_at_its_time(on: On, folder):
    async def run() -> None:
        async with listen(folder / "w.bell") as bell:
            assert not await bell.wait(0.01)

    on(run)


def test_a_door_without_a_bell_fails_nobody(folder):
    door = Doorbell(folder / "nobody.bell")
    door.ring()
    assert (door.rung, door.missed) == (0, 1)


async def test_a_bell_that_nobody_answers_never_blocks_the_one_who_rings(folder):
    async with listen(folder / "w.bell") as bell:
        door = Doorbell(folder / "w.bell")
        for _ in range(2000):
            door.ring()
        assert door.missed > 0
        assert door.rung + door.missed == 2000
        assert await bell.wait(1)


async def test_the_bell_of_a_dead_process_is_replaced(folder):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(os.fspath(folder / "w.bell"))
    async with listen(folder / "w.bell") as bell:
        Doorbell(folder / "w.bell").ring()
        assert await bell.wait(1)


async def test_a_bell_is_private_and_removed_at_the_end(folder):
    async with listen(folder / "w.bell"):
        assert stat.S_IMODE((folder / "w.bell").stat().st_mode) == 0o600
        assert [path.name for path in folder.iterdir()] == ["w.bell"]
    assert not list(folder.iterdir())


async def test_the_bell_of_a_successor_is_not_removed(folder):
    async with listen(folder / "w.bell"):
        successor = listen(folder / "w.bell")
        bell = await successor.__aenter__()
    Doorbell(folder / "w.bell").ring()
    assert await bell.wait(1)
    await successor.__aexit__(None, None, None)


async def test_a_file_that_is_no_socket_is_not_replaced(folder):
    (folder / "w.bell").write_text("precious")
    with pytest.raises(ConfigError, match="in the way"):
        async with listen(folder / "w.bell"):
            pass
    assert (folder / "w.bell").read_text() == "precious"


async def test_the_command_line_rings_the_bell_of_a_role(folder, monkeypatch, data_dir):
    monkeypatch.setenv("RUNTIME_DIRECTORY", os.fspath(folder))
    assert not ring(data_dir, "worker")
    async with listen(door(folder, "worker")) as bell:
        assert ring(data_dir, "worker")
        assert await bell.wait(1)


# The folder


def test_systemds_folder_is_used_as_it_is(tmp_path):
    assert run_dir("/run/atlas:/run/other", "/run/user/0", tmp_path, tmp_path) == Path("/run/atlas")


def test_each_data_folder_has_a_short_private_folder_of_its_own(tmp_path):
    first = run_dir(None, os.fspath(tmp_path), Path("/nowhere"), tmp_path / "data one")
    again = run_dir(None, os.fspath(tmp_path), Path("/nowhere"), tmp_path / "x" / ".." / "data one")
    other = run_dir(None, os.fspath(tmp_path), Path("/nowhere"), tmp_path / "data two")
    assert first == again != other
    assert len(first.name) <= 20
    assert stat.S_IMODE(first.stat().st_mode) == 0o700


def test_the_temp_folder_serves_where_there_is_no_folder_of_the_user(tmp_path):
    assert run_dir(None, None, tmp_path, tmp_path).parent == tmp_path
    assert run_dir(None, os.fspath(tmp_path / "gone"), tmp_path, tmp_path).parent == tmp_path


def test_an_open_folder_of_ours_is_closed(tmp_path):
    folder = run_dir(None, None, tmp_path, tmp_path)
    folder.chmod(0o755)
    run_dir(None, None, tmp_path, tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else")
def test_a_folder_of_somebody_else_is_refused(tmp_path):
    folder = run_dir(None, None, tmp_path, tmp_path)
    os.chown(folder, 12345, 12345)
    with pytest.raises(ConfigError, match="belongs to uid 12345"):
        run_dir(None, None, tmp_path, tmp_path)


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    folder = run_dir(None, None, tmp_path, tmp_path)
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="not a folder"):
        run_dir(None, None, tmp_path, tmp_path)


def test_a_socket_path_may_have_107_bytes_and_not_one_more():
    name = "é" * 20
    folder = Path("/" + "x" * (107 - 2 - 40))
    path = socket_path(folder, name)
    assert len(os.fsencode(path)) == 107
    with pytest.raises(ConfigError, match="too long"):
        socket_path(folder, name + "y")
