"""A restore that is killed at its Nth step on the disk, in a child process of this one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import supervisor.commands.restore  # noqa: F401 - loaded before it is forked
from supervisor.cli import main

STEPS = ((Path, "rename"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"), (os, "fsync"))


class Countdown:
    """Dies at the Nth step, before it is done or just after."""

    def __init__(self, number: int, when: str) -> None:
        self.left = number
        self.when = when

    def around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0 and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            done = step(*arguments, **named)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return counted


def restore(data: Path, wanted: tuple[str, ...], countdown: Countdown | None) -> int:
    """In a child process; its status, negative when it was killed."""
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            if countdown is not None:
                for owner, name in STEPS:
                    setattr(owner, name, countdown.around(getattr(owner, name)))
            os._exit(main(["restore", *wanted, "--data", str(data)]))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
