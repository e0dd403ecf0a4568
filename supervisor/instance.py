"""An Atlas in child processes for the demo, the benches and the tests: started, asked over HTTP, never left behind."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from pipeline.errors import AtlasError
from supervisor.rundir import run_dir_from

CHECKOUT: Final = Path(__file__).resolve().parent.parent
# The checkout's own config.toml and .env are the user's: an instance does not read them.
PLAIN: Final = {
    "ATLAS_CONFIG": os.devnull,
    "ATLAS_ENV_FILE": os.devnull,
    # It is small and soon gone: a disk that is nearly full is no reason not to show it.
    "ATLAS_DATABASE_RESERVE_MIB": "64",
    "ATLAS_DATABASE_RESERVE_PERCENT": "0",
    # Nobody but the site itself is asked for a page, unless the one who starts it says so.
    "ATLAS_FALLBACK_PROVIDERS": "browser",
}
# Runs a module as `python -m` does, but first asks the kernel (1 = PR_SET_PDEATHSIG) for SIGTERM when the parent dies,
# so that even kill -9 of the parent leaves nothing running; a parent that died before that is told by its pid. Not a
# preexec_fn: unsafe where the parent has threads.
_BOOT: Final = """
import ctypes, os, runpy, signal, sys
prctl = getattr(ctypes.CDLL(None), "prctl", None)
if prctl is not None:
    prctl(1, signal.SIGTERM, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit()
del sys.argv[:2]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
_LOOK_AGAIN: Final = 0.05  # seconds between two looks at a process that is starting


class InstanceError(AtlasError):
    """A child process did not do what it was started for; the message ends with the last lines of its log."""

    code = "instance"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer: its status and its body, decoded when it is JSON."""

    status: int
    body: Any


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our own environment without the user's settings of Atlas, with `settings` instead."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "GOOGLE_SEARCH_"))}
    for name in ("NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY", "LISTEN_FDS", "LISTEN_PID"):
        kept.pop(name, None)
    return kept | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"} | dict(settings)


def free_port() -> int:
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Process:
    """A Python module of ours as a process; what it prints goes to `NAME.out` and `NAME.err` in `folder`.

    It has a process group of its own, so that Ctrl-C in the terminal reaches only us, and is told to end when we die.
    """

    def __init__(self, *arguments: str, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.name = arguments[1] if arguments[0] == "supervisor" else arguments[0]
        self._out, self._err = folder / f"{self.name}.out", folder / f"{self.name}.err"
        with self._out.open("wb") as out, self._err.open("ab") as err:
            self.popen = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                [sys.executable, "-P", "-c", _BOOT, str(os.getpid()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment(settings or {}),
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def printed(self, pattern: str, *, seconds: float = 10.0) -> str:
        """The first match of `pattern` in what it prints; waits for it at most `seconds`."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(re.finditer(pattern, self._out.read_text("utf-8", "replace")))
            return bool(found)

        self.wait_for(look, seconds=seconds, what=f"printing {pattern}")
        return found[0][0]

    def wait_for(self, done: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Look until `done`, at most `seconds`. Raises InstanceError when they are over or the process ends before."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise self.failed(f"{what}: not within {seconds:g} s")
            if self.wait(_LOOK_AGAIN) is not None:
                raise self.failed(f"{what}: it ended with status {self.popen.returncode}")

    def wait(self, seconds: float) -> int | None:
        """Its exit status, or None when it still runs after `seconds`."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, *, seconds: float = 30.0) -> int:
        """SIGTERM, then its exit status; SIGKILL for it and all it started when it takes longer than `seconds`."""
        if self.popen.poll() is None:
            self.popen.terminate()
            if self.wait(seconds) is None:
                self.kill()
        return self.popen.returncode

    def kill(self) -> None:
        """SIGKILL for the whole process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait(10)

    def failed(self, what: str) -> InstanceError:
        lines = self._err.read_text("utf-8", "replace").splitlines()[-20:]
        return InstanceError("\n".join([f"{self.name}: {what}", *lines]))


def fetch(
    base: str,
    method: str,
    path: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float = 10.0,
) -> Reply:
    """One request to a server on loopback, on a connection of its own; `body` goes as JSON."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=seconds)
    told = {"Accept": "application/json"} | dict(headers or {})
    if body is not None:
        told["Content-Type"] = "application/json"
    try:
        connection.request(method, path, None if body is None else msgspec.json.encode(body), told)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    is_json = "json" in (answer.getheader("Content-Type") or "")
    return Reply(status=answer.status, body=msgspec.json.decode(content) if is_json else content.decode("utf-8"))


class Instance:
    """`atlas up` on a data folder and a free port, with an admin token to ask it by."""

    def __init__(self, data: Path, *, settings: Mapping[str, str] | None = None, port: int | None = None) -> None:
        self.data = data
        self.port = port or free_port()
        self.settings = PLAIN | {"ATLAS_DATA_DIR": str(data), "ATLAS_API_PORT": str(self.port)} | dict(settings or {})
        self.token = ""
        self.up: Process | None = None

    def __enter__(self) -> Self:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.token = self.command("token", "create", "--name", f"instance-{os.getpid()}", "--scope", "admin").strip()
        self.up = self.start("up")
        try:
            self.up.wait_for(self.is_ready, seconds=60, what="becoming ready")
        except BaseException:
            self.up.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.up is not None:
            self.up.stop()
        with contextlib.suppress(OSError):
            run_dir_from(environment(self.settings), self.data).rmdir()  # the sockets in it are gone

    def start(self, role: str) -> Process:
        """Start one role (or `up`) with this instance's settings; whoever starts it stops it."""
        return Process("supervisor", role, folder=self.data, settings=self.settings)

    def command(self, *arguments: str, given: str = "", seconds: float = 60.0) -> str:
        """Run a command of Atlas to its end, `given` on its standard input; what it printed. Or InstanceError."""
        ran = subprocess.run(  # noqa: S603 - our own interpreter and modules
            [sys.executable, "-P", "-m", "supervisor", *arguments],
            env=environment(self.settings),
            input=given.encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        if ran.returncode != 0:
            told = ran.stderr.decode("utf-8", "replace").strip()
            raise InstanceError(f"atlas {' '.join(arguments)} ended with status {ran.returncode}:\n{told}")
        return ran.stdout.decode()

    def is_ready(self) -> bool:
        """Whether the api answers, its database works, and a worker is at work."""
        try:
            ready, health = self.ask("GET", "/ready"), self.ask("GET", "/health")
        except (OSError, http.client.HTTPException):
            return False
        return ready.status == 200 and bool(health.body["processor"] == "up")

    def ask(self, method: str, path: str, body: object = None, *, seconds: float = 10.0) -> Reply:
        """One request with the instance's token, on a connection of its own."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return fetch(f"http://127.0.0.1:{self.port}", method, path, body, headers=headers, seconds=seconds)

    def items(self) -> list[dict[str, Any]]:
        """Every item there is, newest first."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.ask("GET", f"/api/v1/items?limit=100{cursor}").body
            found += page["items"]
            if page["cursor"] is None:
                return found
            cursor = f"&cursor={page['cursor']}"
