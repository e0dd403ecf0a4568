"""The edge to the HTTP library: one table from its errors to ours."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import brotli  # type: ignore[import-untyped]
import httpcore2
import httpx2

from pipeline.errors import (
    AtlasError,
    BadUrl,
    ConnectFailed,
    FetchTimeout,
    ProtocolBroken,
    TlsFailed,
)
from stages.net.decode import BadCoding, ZstdError

# First match wins, so the particular comes before the general.
TABLE: Final[tuple[tuple[type[Exception], type[AtlasError], str], ...]] = (
    (httpcore2.ConnectTimeout, FetchTimeout, "did not answer the connection in time"),
    (httpcore2.ReadTimeout, FetchTimeout, "sent nothing for too long"),
    (httpcore2.WriteTimeout, FetchTimeout, "did not take the request in time"),
    (httpcore2.PoolTimeout, FetchTimeout, "got no free connection in time"),
    (ssl.SSLError, TlsFailed, "cannot be talked to securely"),
    (httpcore2.ConnectError, ConnectFailed, "cannot be connected to"),
    (httpcore2.NetworkError, ProtocolBroken, "closed the connection early"),
    (httpcore2.RemoteProtocolError, ProtocolBroken, "does not answer in HTTP"),
    (httpcore2.LocalProtocolError, ProtocolBroken, "cannot be sent this request"),
    (BadCoding, ProtocolBroken, "sent a body that cannot be decoded"),
    (zlib.error, ProtocolBroken, "sent a body that does not decompress"),
    (brotli.error, ProtocolBroken, "sent a body that does not decompress"),
    (ZstdError, ProtocolBroken, "sent a body that does not decompress"),
    (httpcore2.UnsupportedProtocol, BadUrl, "has a scheme other than http and https"),
    (httpx2.InvalidURL, BadUrl, "is not a URL"),
    (OSError, ConnectFailed, "cannot be connected to"),
)
_KINDS: Final = tuple(kind for kind, _, _ in TABLE)
_HINTS: Final[dict[type[AtlasError], str]] = {
    FetchTimeout: "The site may be down or very slow; it is tried again by itself.",
    ConnectFailed: "The site may be down; it is tried again by itself.",
    TlsFailed: "The site's certificate or TLS set-up is wrong, or this machine's clock or CA certificates are.",
    ProtocolBroken: "The site may be broken at the moment; it is tried again by itself.",
    BadUrl: "Check the address.",
}


@contextmanager
def mapped(host: str) -> Iterator[None]:
    """Raise the library's errors as ours, naming the host, the cause kept. Cancellation and our own errors pass."""
    try:
        yield
    except _KINDS as error:
        cause = _cause(error)
        if isinstance(cause, AtlasError):  # one of ours that travelled inside (see backend.py) comes out as it was
            raise cause from cause.__cause__
        raise translate(cause, host) from cause


def translate(cause: Exception, host: str) -> AtlasError:
    """Our error for one that the table knows."""
    for kind, ours, what in TABLE:
        if isinstance(cause, kind):
            detail = f": {cause}" if str(cause) else ""
            return ours(f"{host} {what}{detail}", hint=_HINTS[ours])
    raise cause


def _cause(error: Exception) -> Exception:
    """The pool raises `from None`, which wipes causes; but httpcore2 keeps the first error as the argument."""
    inner = error.args[0] if error.args else None
    telling = isinstance(inner, AtlasError | ssl.SSLError) or isinstance(error, httpcore2.ConnectError)
    return inner if telling and isinstance(inner, Exception) else error
