"""A fresh checkout in a clean environment, in which the blocks of a guide are run as a person would type them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from supervisor.instance import free_port
from tests.docs.documents import ROOT, Block

PORT: Final = "7444"  # in the guides; the checkout gets another one, which may be free
_LINK: Final = re.compile(r"http://127\.0\.0\.1:\d+/sign-in/\S+")
_MAY_END: Final = re.compile(r", may end with (\d+)$")
_LOOK_AGAIN: Final = 0.1
SECONDS: Final = 120.0  # for one block, and for what stays to print its link


class Failed(AssertionError):
    """A block did not do what the page says."""


class Checkout:
    """What `git clone` gives, with the environment of this one. Blocks share variables, as in one terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "atlas"
        self.home = folder / "home"
        self.port = free_port()
        self.links: list[str] = []
        self._state = folder / "variables"
        self._out = folder / "stays.out"
        self._stays: subprocess.Popen[bytes] | None = None
        self.home.mkdir()
        self._state.touch()
        self._lay()

    def _lay(self) -> None:
        """The files of the working tree, so that what is not committed yet is tried as well."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
            source, target = ROOT / name, self.folder / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        (self.folder / ".venv").symlink_to(sys.prefix)

    @property
    def environment(self) -> dict[str, str]:
        """Of a new login, but for the port: another Atlas may run here."""
        return {
            "HOME": str(self.home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "XDG_RUNTIME_DIR": str(self.home),
            "ATLAS_API_PORT": str(self.port),
            # The machine of a test may be nearly full, and asks nobody on the Internet for what the guides save.
            "ATLAS_DATABASE_RESERVE_MIB": "64",
            "ATLAS_DATABASE_RESERVE_PERCENT": "0",
            "ATLAS_FALLBACK_PROVIDERS": "",
        }

    def run(self, block: Block) -> str:
        """Run a block to its end, or start what stays; what it printed."""
        if block.stays:
            return self._start(block)
        allowed = {0, *(int(found[1]) for found in [_MAY_END.search(block.mark)] if found)}
        script = f'. "{self._state}"\n{self._here(block.content)}\nended=$?\nexport -p >"{self._state}"\nexit $ended\n'
        ran = subprocess.run(
            ["bash", *([] if len(allowed) > 1 else ["-e"]), "-u", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if ran.returncode not in allowed:
            raise Failed(f"{block} ended with {ran.returncode}:\n{block.content}\n{ran.stdout}\n{ran.stderr}")
        return ran.stdout

    def _start(self, block: Block) -> str:
        """Start it in the background; it is up when it has printed its link."""
        self.stop()
        with self._out.open("wb") as out:
            self._stays = subprocess.Popen(
                ["bash", "-c", f"exec {self._here(block.content).strip()}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS
        while not (found := _LINK.search(self._out.read_text("utf-8", "replace"))):
            if self._stays.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{block} printed no link:\n{self._out.read_text('utf-8', 'replace')}")
            self._wait(_LOOK_AGAIN)
        self.links.append(found[0])
        return found[0]

    def _here(self, content: str) -> str:
        return re.sub(rf"\b{PORT}\b", str(self.port), content)

    def _wait(self, seconds: float) -> int | None:
        assert self._stays is not None
        try:
            return self._stays.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> int:
        """Ctrl-C for what stays; its exit code."""
        if self._stays is None:
            return 0
        if self._stays.poll() is None:
            os.killpg(self._stays.pid, signal.SIGINT)
            if self._wait(30) is None:
                os.killpg(self._stays.pid, signal.SIGKILL)
                self._stays.wait(10)
        ended, self._stays = self._stays.returncode, None
        return ended

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
