"""The api role: Quart on Hypercorn on asyncio, on a socket that listens before READY is said.

Hypercorn on Python 3.12 and later waits for open streams whatever `graceful_timeout` says, so the stop has a deadline
of our own, past which the process ends all the same: everything that was answered with 2xx is on the disk by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable

import hypercorn.asyncio
import hypercorn.config
from quart import Quart

from supervisor.port import BACKLOG
from supervisor.process import past_signals

GRACEFUL_SECONDS = 5.0  # for requests in hand
SETTLE_SECONDS = 0.1
STOP_SECONDS = 7.0  # then the process ends, whatever is open; the promise is 8


async def serve(app: Quart, sock: socket.socket, stop: asyncio.Event, *, is_passed: bool = False) -> None:
    """Serve until `stop`, then finish the requests in hand. Owns `sock` from here on.

    `is_passed`: somebody else holds the socket, too, and keeps new connections for whoever serves next.
    """
    config = hypercorn.config.Config()
    listening = sock.detach()
    config.bind = [f"fd://{listening}"]
    config.backlog = BACKLOG
    config.include_server_header = False
    config.graceful_timeout = GRACEFUL_SECONDS
    config.shutdown_timeout = GRACEFUL_SECONDS
    config.keep_alive_timeout = 5
    config.max_app_queue_size = 1  # pieces of a body, up to 64 KiB each, that wait for the app
    config.accesslog = None
    config.errorlog = None

    async def stopped() -> None:
        await stop.wait()
        if is_passed:
            # Those that come now are the next one's. Of the connections that were accepted, each gets the moment that
            # its request needs to arrive: Hypercorn closes whatever has said nothing yet.
            asyncio.get_running_loop().remove_reader(listening)
            await asyncio.sleep(SETTLE_SECONDS)

    await hypercorn.asyncio.serve(app, config, shutdown_trigger=stopped)


@contextlib.asynccontextmanager
async def stop_on_signals(on_stop: Callable[[], None]) -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set. From the first on, STOP_SECONDS are left, closing included."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def begin() -> None:
        if not stop.is_set():
            stop.set()
            on_stop()
            deadline.start()

    deadline = threading.Timer(STOP_SECONDS, os._exit, args=(0,))
    deadline.daemon = True
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin)
    try:
        yield stop
    finally:
        with past_signals() if stop.is_set() else contextlib.nullcontext():
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
