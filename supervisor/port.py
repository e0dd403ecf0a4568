"""The port that the api listens on: taken before anything is promised, and said in one line when it cannot be had."""

from __future__ import annotations

import socket

from gateway.settings import ApiSettings
from pipeline.errors import AtlasError

BACKLOG = 4096  # connections that the kernel keeps while the api restarts


class PortTaken(AtlasError):
    """Somebody else listens there."""

    code = "port_taken"
    retryable = True


def listening_socket(settings: ApiSettings) -> socket.socket:
    """A listening socket. Raises PortTaken with what to do about it."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.bind((settings.host, settings.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise PortTaken(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}",
            hint="choose another with --port N or [api] port, or stop what uses it",
        ) from error
    return sock
