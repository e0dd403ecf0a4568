"""Run something on trio until it ends or a signal asks for the end; from then on the process has a deadline."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from observability import log
from observability.names import Event
from supervisor.exits import Exit
from supervisor.process import hard_deadline, past_signals, watch_signals


async def until_signal(
    run: Callable[[], Awaitable[None]], *, on_stop: Callable[[], None], hurry: Callable[[], None], deadline: float
) -> None:
    """Run until it ends, or is cancelled by SIGTERM or SIGINT (`on_stop` first). Raises what it raises, unwrapped.

    A later signal calls `hurry`. `deadline` seconds after the first the process ends, whatever still runs: with 0,
    because what matters is on the disk and what was in hand is reclaimed at the next start.
    """
    scope = trio.CancelScope()
    with contextlib.ExitStack() as stack:

        def stop(_signal: object) -> None:
            log.get_logger().info(Event.ROLE_STOPPING)
            on_stop()
            stack.enter_context(hard_deadline(deadline, code=Exit.OK, last_words=_last_words))
            scope.cancel()

        async def body() -> None:
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(watch_signals, stop=stop, hurry=hurry))
                try:
                    with scope:
                        await run()
                finally:
                    if scope.cancel_called:
                        stack.enter_context(past_signals())
                nursery.cancel_scope.cancel()

        try:
            await body()
        except BaseExceptionGroup as group:
            raise alone(group) from None


def alone(error: BaseException) -> BaseException:
    """The one error inside nested groups of one; a group of several stays as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _last_words() -> None:
    log.get_logger().error(Event.ROLE_STOPPED, detail="did not end in time and was cut off; nothing on disk is lost")
    log.flush()
