"""Reading a response body: decoded piece by piece, cut off at a limit of bytes and at a limit of compression."""

from __future__ import annotations

import math
from contextlib import aclosing
from typing import Final

import anyio.lowlevel
import httpcore2
import msgspec

from pipeline.errors import BodyTooLarge
from stages.net.decode import decoder
from stages.net.headers import Headers

RATIO_FREE_BYTES: Final = 1024 * 1024  # up to here a page may be as compressible as it likes
RATIO_MAX: Final = 200  # zeros are 1:1028 with gzip; honest pages stay under 1:30
_BOMB_HINT: Final = "That is how decompression bombs are made; it is not read."
_HINT: Final = "`[net] max_bytes` sets the limit."


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a body is read, in decoded bytes, and whether what is longer is cut there or refused."""

    bytes: int
    cut: bool = False


async def read_body(answer: httpcore2.Response, fields: Headers, host: str, limit: Limit) -> bytes:
    """The decoded body. BodyTooLarge past the limit, decoded or on the wire, and for decompression bombs."""
    if not limit.cut and answer.status != 304 and _declared(fields) > limit.bytes:  # a 304 declares what it leaves out
        raise _too_large(host, limit.bytes)
    decode = decoder(fields.get("content-encoding") or "")
    content, wire = bytearray(), 0
    async with aclosing(answer.aiter_stream()) as stream:
        async for raw in stream:
            wire += len(raw)
            for piece in decode.feed(raw):
                content += piece
                if limit.cut and len(content) >= limit.bytes:
                    return bytes(content[: limit.bytes])
                _check(host, limit.bytes, wire, len(content))
                await anyio.lowlevel.checkpoint()  # decoding is our time, not the network's: let others run
            _check(host, limit.bytes, wire, len(content))
    decode.finish()
    return bytes(content)


def _declared(fields: Headers) -> float:
    length = fields.get("content-length") or ""
    if not (length.isascii() and length.isdigit()):
        return 0.0
    return math.inf if len(length) > 15 else float(length)


def _check(host: str, limit: int, wire: int, decoded: int) -> None:
    if max(wire, decoded) > limit:
        raise _too_large(host, limit)
    if decoded > RATIO_FREE_BYTES and decoded > RATIO_MAX * wire:
        raise BodyTooLarge(f"{host} sent a body that unfolds to over {RATIO_MAX} times its size", hint=_BOMB_HINT)


def _too_large(host: str, limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"{host} sent more than {limit:,} bytes", hint=_HINT)
