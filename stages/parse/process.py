"""One parse process as the pool sees it: started, asked, and killed without ceremony."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import anyio
import msgspec
from anyio.abc import UNIXSocketStream

from pipeline.errors import ParseCrashed
from stages.parse.frames import HEAD_BYTES, Answer, FrameTooLarge, Job, Ready, answer_of, length_of, pack

START_SECONDS: Final = 60.0  # importing takes 1 s on a free core; a busy small machine gets its time
REAP_SECONDS: Final = 5.0
CHUNK: Final = 256 * 1024
_ROOT: Final = Path(__file__).resolve().parents[2]
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ParseProcess:
    """Not safe for two jobs at once: the pool sees to that."""

    def __init__(self, *, memory_mib: int, environ: Mapping[str, str]) -> None:
        """Start it.

        Popen runs in the caller's thread on purpose: the child is killed when the thread that started it ends, and the
        threads that run an event loop's blocking calls end when they have been idle for some seconds.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-P", "-m", "stages.parse.child", str(os.getpid()), str(memory_mib)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**environ, **_ONE_THREAD, "PYTHONPATH": str(_ROOT)},
            )
        self._socket = ours
        self._stream: UNIXSocketStream | None = None
        self._ready = False
        self.pages = 0

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    async def ready(self) -> None:
        """Wait until it has imported everything. Raises ParseCrashed when it cannot start."""
        if self._ready:
            return
        self._stream = await UNIXSocketStream.from_socket(self._socket)
        with anyio.move_on_after(START_SECONDS):
            if not isinstance(await self._receive(), Ready):
                raise ParseCrashed(
                    "the parse process did not start", hint="run `atlas doctor`: a library may be missing"
                )
            self._ready = True
        if not self._ready:
            raise ParseCrashed(f"the parse process was not ready within {START_SECONDS:.0f} s")

    async def ask(self, job: Job) -> Answer:
        """Its answer. Raises ParseCrashed when it dies over the job. Cancelled, its state is unknown: kill it."""
        assert self._stream is not None, "ready() first"
        self.pages += 1
        try:
            await self._stream.send(pack(job))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise ParseCrashed(await self._ending()) from error
        return await self._receive()

    async def _receive(self) -> Answer:
        try:
            head = await self._exactly(HEAD_BYTES)
            return answer_of(await self._exactly(length_of(bytes(head))))
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise ParseCrashed(await self._ending()) from error
        except (FrameTooLarge, msgspec.DecodeError) as error:
            raise ParseCrashed(f"the parse process answered nonsense: {error}") from error

    async def _exactly(self, count: int) -> bytearray:
        assert self._stream is not None
        content = bytearray()
        while len(content) < count:
            content += await self._stream.receive(min(CHUNK, count - len(content)))
        return content

    async def _ending(self) -> str:
        """Why it died, as far as its exit status tells."""
        await self.reap()
        match self._process.returncode:
            case int(code) if code < 0:
                name = signal.Signals(-code).name if -code in signal.Signals.__members__.values() else str(-code)
                return f"the parse process was ended by {name}" + _MEANINGS.get(-code, "")
            case code:
                return f"the parse process ended with status {code}"

    def kill(self) -> None:
        """End it now and drop the connection; reap() still has to follow. Idempotent."""
        if self._process.returncode is None:
            self._process.kill()
        self._socket.close()

    def gone(self) -> bool:
        """Whether the killed process has left the process table."""
        return self._process.poll() is not None

    async def reap(self) -> None:
        """Wait for the end of a process that is dying; bounded, and safe to be called when cancelled."""
        with anyio.move_on_after(REAP_SECONDS, shield=True):
            await anyio.to_thread.run_sync(self._wait)

    def _wait(self) -> None:
        try:
            self._process.wait(REAP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()


_MEANINGS: Final[Mapping[int, str]] = {
    signal.SIGKILL: " (killed: out of memory, or by hand)",
    signal.SIGSEGV: " (a crash in a library)",
    signal.SIGABRT: " (a library gave up, often for want of memory)",
    signal.SIGBUS: " (a crash in a library)",
    signal.SIGXCPU: " (processor time)",
}
