"""The parse process: reads jobs from the socket on its standard input, answers them there, and has nothing to lose.

Started by the pool as `python -P -m stages.parse.child PARENT_PID MEMORY_MIB`. It limits its own memory, dies with
its parent, and imports the heavy libraries before it says that it is ready.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final

from pipeline.errors import ParseError
from stages.parse.frames import (
    HEAD_BYTES,
    Answer,
    Failed,
    FrameTooLarge,
    Job,
    OutOfMemory,
    Ready,
    job_of,
    length_of,
    pack,
)

_PR_SET_PDEATHSIG: Final = 1


def main(parent: int, memory_mib: int) -> None:
    """Serve jobs until the pool closes the socket or the memory limit is met."""
    _die_with(parent)
    _limit(memory_mib)
    channel = socket.socket(fileno=0)
    from stages.parse.jobs import answer, warm  # the dear import, after the limits: what it loads counts, too

    warm()
    channel.sendall(pack(Ready()))
    while (head := _read(channel, HEAD_BYTES)) is not None:
        try:
            body = _read(channel, length_of(bytes(head)))
            if body is None:
                return
            reply = _attempt(answer, job_of(body))
        except MemoryError:
            reply = OutOfMemory()
        channel.sendall(_packed(reply))
        if isinstance(reply, OutOfMemory):
            return


def _attempt(answer: Callable[[Job], Answer], job: Job) -> Answer:
    try:
        return answer(job)
    except ParseError as error:
        return Failed(code=error.code, message=error.message)
    except MemoryError:
        return OutOfMemory()
    except Exception as error:  # noqa: BLE001 - a process edge: a library's bug on one page is that page's failure
        return Failed(code=ParseError.code, message=f"{type(error).__name__}: {error}"[:500])


def _packed(reply: Answer) -> bytes:
    try:
        return pack(reply)
    except FrameTooLarge as error:
        return pack(Failed(code=ParseError.code, message=f"the result is too large: {error}"))
    except UnicodeEncodeError as error:
        return pack(Failed(code=ParseError.code, message=f"the result is no text: {error.reason}"))
    except MemoryError:
        return pack(OutOfMemory())


def _read(channel: socket.socket, count: int) -> bytearray | None:
    """Exactly `count` bytes; None when the pool has closed its end."""
    content = bytearray(count)
    view = memoryview(content)
    while view:
        got = channel.recv_into(view)
        if not got:
            return None
        view = view[got:]
    return content


def _die_with(parent: int) -> None:
    """Ask Linux for SIGKILL when the thread that started us ends; end now if that has already happened."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _limit(memory_mib: int) -> None:
    size = memory_mib * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and systemd's stop reach the whole group: the worker drains
        signal.signal(number, signal.SIG_IGN)  # first, then the pool ends us


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
