"""The gateway on a real socket, by Hypercorn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from hypercorn.asyncio import serve
from hypercorn.config import Config

from tests.gateway.site import Site


@contextlib.asynccontextmanager
async def served(site: Site) -> AsyncIterator[int]:
    """The port that the app is served on, on a socket that listens before the server has it."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 1
    config.max_app_queue_size = 1  # as supervisor.serve has it
    stop = asyncio.Event()
    server = asyncio.create_task(serve(site.app, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    try:
        yield port
    finally:
        stop.set()
        await server
