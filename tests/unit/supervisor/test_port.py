"""The socket that systemd passes: taken when it is ours and listens, refused in a sentence when it is anything else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import ApiSettings
from pipeline.errors import ConfigError
from supervisor.port import PortTaken, listening_socket, passed_socket


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def told(count: int = 1, names: str = "http", pid: int = 0) -> dict[str, str]:
    return {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names, "PATH": "/bin"}


def passed(environ: dict[str, str], first: int) -> socket.socket | None:
    return passed_socket(environ, pid=os.getpid(), first=first)


def test_a_passed_listening_socket_is_taken_and_children_get_neither_it_nor_its_variables(listening) -> None:
    os.set_inheritable(listening.fileno(), True)
    environ = told()
    taken = passed(environ, listening.fileno())
    assert taken is not None
    assert taken.getsockname() == listening.getsockname()
    assert (taken.family, taken.type) == (socket.AF_INET, socket.SOCK_STREAM)
    assert not os.get_inheritable(taken.detach())
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("environ", [{}, told(pid=1), told(count=0), told() | {"LISTEN_FDS": "-1"}])
def test_without_a_socket_for_this_process_it_binds_its_own(environ: dict[str, str]) -> None:
    assert passed(environ, 3) is None
    assert not [name for name in environ if name.startswith("LISTEN_")]


def test_a_socket_of_another_name_or_several_are_refused(listening) -> None:
    for environ in (told(names="metrics"), told(names="unknown"), told(count=2, names="http:http")):
        with pytest.raises(ConfigError, match="one listening stream socket named http") as refused:
            passed(environ, listening.fileno())
        assert "FileDescriptorName=http" in refused.value.hint


def test_what_is_no_socket_or_does_not_listen_is_refused_and_stays_open(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(ConfigError, match="no socket"):
        passed(told(), file.fileno())
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigError, match="does not listen"):
            passed(told(), idle.fileno())
        assert idle.getsockname()  # it was not closed under its owner
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams, pytest.raises(ConfigError, match="not listen"):
        passed(told(), datagrams.fileno())


def test_the_third_descriptor_is_where_systemd_puts_it(listening, root: Path) -> None:
    """In a process of its own, whose descriptor 3 is free."""
    script = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
from supervisor.port import passed_socket
print(passed_socket(os.environ, pid=os.getpid()).getsockname()[1])
"""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", script, str(listening.fileno())],
        env=told() | {"PYTHONPATH": str(root)},
        pass_fds=[listening.fileno()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ran.stdout) == listening.getsockname()[1]


def test_a_port_that_is_taken_says_what_to_do(listening) -> None:
    with pytest.raises(PortTaken, match="cannot listen on") as refused:
        listening_socket(ApiSettings(port=listening.getsockname()[1]))
    assert "--port" in refused.value.hint
