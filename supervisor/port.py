"""The port that the api listens on: systemd's when it passes one, else our own; in one line why it cannot be had."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

from gateway.settings import ApiSettings
from pipeline.errors import AtlasError, ConfigError, Fault

BACKLOG = 4096  # connections that the kernel keeps while the api restarts
PASSED_NAME = "http"  # FileDescriptorName= in atlas-api.socket
_FIRST_PASSED = 3  # sd_listen_fds(3): after standard input, output and error


class PortTaken(AtlasError):
    """Somebody else listens there."""

    code = "port_taken"
    retryable = True


def listening_socket(settings: ApiSettings) -> socket.socket:
    """A listening socket. Raises PortTaken with what to do about it."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # the sandbox of atlas-api.service has no network
        raise PortTaken(
            f"no socket can be made here: {error.strerror or error}",
            hint="under systemd the port comes from atlas-api.socket: systemctl restart atlas-api.socket",
        ) from error
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


def passed_socket(environ: MutableMapping[str, str], *, pid: int, first: int = _FIRST_PASSED) -> socket.socket | None:
    """The listening socket that systemd passed to the process `pid`; None when it passed nothing.

    Takes the variables that tell of it out of `environ`, and keeps every passed descriptor from child processes.
    ConfigError when what was passed is no listening stream socket of the name PASSED_NAME, or more than one thing.
    """
    told = {name: environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if told["LISTEN_PID"] != str(pid) or not told["LISTEN_FDS"].isdecimal():
        return None
    passed = list(range(first, first + int(told["LISTEN_FDS"])))
    names = told["LISTEN_FDNAMES"].split(":")
    for descriptor in passed:
        with contextlib.suppress(OSError):  # it is not there, which is told below
            os.set_inheritable(descriptor, False)
    if not passed:
        return None
    if len(passed) > 1 or names != [PASSED_NAME]:
        raise _wrong(f"{len(passed)} descriptors named {told['LISTEN_FDNAMES'] or '(nothing)'}")
    try:
        sock = socket.socket(fileno=passed[0])
    except OSError as error:
        raise _wrong(f"no socket: {error.strerror or error}") from error
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        raise _wrong("a socket that does not listen for connections")
    return sock


def _wrong(what: str) -> ConfigError:
    said = f"systemd passed {what}, where one listening stream socket named {PASSED_NAME} belongs"
    hint = f"atlas-api.socket needs one ListenStream= and FileDescriptorName={PASSED_NAME}"
    return ConfigError(said, faults=(Fault(where="LISTEN_FDS", what=said, hint=hint),), hint=hint)
