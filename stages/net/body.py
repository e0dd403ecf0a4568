"""Reading a response body: decoded piece by piece, cut off at a limit of bytes and at a limit of compression."""

from __future__ import annotations

from contextlib import aclosing
from typing import Final

import anyio.lowlevel
import httpcore2

from pipeline.errors import BodyTooLarge
from stages.net.decode import decoder
from stages.net.headers import Headers

RATIO_FREE_BYTES: Final = 1024 * 1024  # up to here a page may be as compressible as it likes
RATIO_MAX: Final = 200  # zeros are 1:1028 with gzip; honest pages stay under 1:30
_BOMB_HINT: Final = "That is how decompression bombs are made; it is not read."
_HINT: Final = "`[net] max_bytes` sets the limit."


async def read_body(answer: httpcore2.Response, fields: Headers, host: str, limit: int) -> bytes:
    """The decoded body. BodyTooLarge past `limit` bytes, decoded or on the wire, and for decompression bombs."""
    declared = fields.get("content-length")
    if declared is not None and declared.isdigit() and (len(declared) > 15 or int(declared) > limit):
        raise _too_large(host, limit)
    decode = decoder(fields.get("content-encoding") or "")
    content, wire = bytearray(), 0
    async with aclosing(answer.aiter_stream()) as stream:
        async for raw in stream:
            wire += len(raw)
            for piece in decode.feed(raw):
                content += piece
                _check(host, limit, wire, len(content))
                await anyio.lowlevel.checkpoint()  # decoding is our time, not the network's: let others run
            _check(host, limit, wire, len(content))
    decode.finish()
    return bytes(content)


def _check(host: str, limit: int, wire: int, decoded: int) -> None:
    if max(wire, decoded) > limit:
        raise _too_large(host, limit)
    if decoded > RATIO_FREE_BYTES and decoded > RATIO_MAX * wire:
        raise BodyTooLarge(f"{host} sent a body that unfolds to over {RATIO_MAX} times its size", hint=_BOMB_HINT)


def _too_large(host: str, limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"{host} sent more than {limit:,} bytes", hint=_HINT)
