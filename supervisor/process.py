"""The life of the process itself: signals, and the last deadline, past which it ends whatever it is doing."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import threading
from collections.abc import Callable, Iterator

import trio

from supervisor.exits import Exit

_LAST_WORDS_SECONDS = 2.0


async def watch_signals(
    *,
    stop: Callable[[signal.Signals], None],
    hurry: Callable[[], None],
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Call `stop` at the first SIGTERM or SIGINT and `hurry` at each later one, until cancelled.

    The first task of a role (`await nursery.start(...)`): from then on no signal ends the process by itself.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as arrived:
        task_status.started()
        stopping = False
        async for number in arrived:
            if stopping:
                hurry()
            else:
                stopping = True
                stop(signal.Signals(number))


@contextlib.contextmanager
def past_signals() -> Iterator[None]:
    """Take the handlers of SIGTERM and SIGINT away in the block; from then on the process ends by itself, with its own
    status: one more signal, while it closes or the interpreter ends, may not kill it."""
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # between the old handler and none there is the deadly default
    try:
        yield
    finally:
        for number in stops:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)


@contextlib.contextmanager
def hard_deadline(seconds: float, *, code: Exit, last_words: Callable[[], None]) -> Iterator[None]:
    """End the process with `code` when the block is not over in `seconds`, even if its event loop is blocked.

    All stacks go to standard error first, then `last_words` are said, in a thread of their own. Nothing is cleaned up:
    what matters is on the disk at every moment.
    """
    over = threading.Event()

    def watch() -> None:
        if over.wait(seconds):
            return
        with contextlib.suppress(OSError):
            os.set_blocking(2, False)  # whoever should read standard error may not: what does not fit is not said
        try:
            faulthandler.dump_traceback(all_threads=True)
            faulthandler.dump_traceback_later(_LAST_WORDS_SECONDS, exit=True)  # they may wait for a lock of the stuck
            last_words()
        finally:
            os._exit(code)

    threading.Thread(target=watch, name="hard deadline", daemon=True).start()
    try:
        yield
    finally:
        over.set()
