"""Content codings, undone in bounded pieces, so that a bomb is seen while it unfolds.

Our own and not the HTTP library's: that one takes a body cut off in the middle for a whole one, drops all but the
first gzip member, and lets several codings stand in a row, where the ones in between are not counted by anybody.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

__all__ = ["ACCEPT_ENCODING", "BadCoding", "Decoder", "ZstdError", "decoder"]

PIECE: Final = 256 * 1024
ACCEPT_ENCODING: Final = "gzip, deflate, br, zstd"
_ZSTD_WINDOW_LOG: Final = 23  # 8 MiB, the most that RFC 9659 lets a server use


class BadCoding(Exception):
    """The body cannot be decoded. Becomes ProtocolBroken at the edge (errors.py), where the host is known."""


class Decoder(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded pieces of `data`, each a few hundred KiB at most, none empty."""
        ...

    def finish(self) -> None:
        """BadCoding when the body ended in the middle."""
        ...


class _Identity:
    def feed(self, data: bytes) -> Iterator[bytes]:
        if data:
            yield data

    def finish(self) -> None:
        return


class _Gzip:
    """gzip, also with several members; what follows them is ignored, as gunzip does."""

    def __init__(self) -> None:
        self._state = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._fed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._fed = self._fed or bool(data)
        while data:
            if self._state.eof:
                if not data.startswith(b"\x1f"):
                    return
                self._state = zlib.decompressobj(zlib.MAX_WBITS | 16)
            piece = self._state.decompress(data, PIECE)
            data = self._state.unused_data or self._state.unconsumed_tail
            if piece:
                yield piece
        while not self._state.eof and (piece := self._state.decompress(b"", PIECE)):
            yield piece

    def finish(self) -> None:
        _whole(self._state.eof or not self._fed)


class _Deflate:
    """`deflate` is zlib by the RFC and raw deflate by the servers: the first two bytes tell (RFC 1950)."""

    def __init__(self) -> None:
        self._head = b""
        self._state: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._state is None:
            self._head += data
            if len(self._head) < 2:
                return
            data, first = self._head, int.from_bytes(self._head[:2], "big")
            is_zlib = first % 31 == 0 and (first >> 8) & 15 == 8
            self._state = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        state = self._state
        while not state.eof and (piece := state.decompress(data, PIECE)):
            data = state.unconsumed_tail
            yield piece

    def finish(self) -> None:
        _whole(not self._head if self._state is None else self._state.eof)


class _Brotli:
    def __init__(self) -> None:
        self._state = brotli.Decompressor()
        self._fed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._fed = self._fed or bool(data)
        if self._state.is_finished():
            return
        # The library may hand out up to twice the limit.
        while piece := self._state.process(data, output_buffer_limit=PIECE // 2):
            data = b""
            yield piece
            if self._state.is_finished():
                return

    def finish(self) -> None:
        _whole(self._state.is_finished() or not self._fed)


class _Zstd:
    """zstd, also with several frames."""

    def __init__(self) -> None:
        self._state = _zstd()
        self._fed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._fed = self._fed or bool(data)
        while data or not (self._state.needs_input or self._state.eof):
            if self._state.eof:
                self._state = _zstd()
            piece = self._state.decompress(data, PIECE)
            data = self._state.unused_data if self._state.eof else b""
            if piece:
                yield piece

    def finish(self) -> None:
        _whole(self._state.eof or not self._fed)


def _zstd() -> ZstdDecompressor:
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


def _whole(ended: bool) -> None:
    if not ended:
        raise BadCoding("it ends in the middle")


_DECODERS: Final[dict[str, Callable[[], Decoder]]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


def decoder(content_encoding: str) -> Decoder:
    """The decoder for a Content-Encoding header. BadCoding for an unknown coding and for more than one."""
    listed = (part.strip().lower() for part in content_encoding.split(","))
    codings = [coding for coding in listed if coding not in ("", "identity")]
    if not codings:
        return _Identity()
    if len(codings) > 1:
        raise BadCoding(f"it is compressed {len(codings)} times over, as bombs are")
    if codings[0] not in _DECODERS:
        raise BadCoding(f"its coding is {codings[0][:40]!r}, which nobody asked for")
    return _DECODERS[codings[0]]()
