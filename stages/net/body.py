"""Reading a response body: decoded piece by piece, cut off at a limit of bytes and at a limit of compression."""

from __future__ import annotations

from typing import Final

import anyio.lowlevel
import httpcore2

from pipeline.errors import BodyTooLarge
from stages.net.decode import decoder
from stages.net.headers import Headers

RATIO_FREE_BYTES: Final = 1024 * 1024  # up to here a page may be as compressible as it likes
RATIO_MAX: Final = 200  # zeros are 1:1028 with gzip; honest pages stay under 1:30
_HINT: Final = "`[net] max_bytes` sets the limit."


async def read_body(answer: httpcore2.Response, fields: Headers, host: str, limit: int) -> bytes:
    """The decoded body. BodyTooLarge past `limit` bytes, decoded or on the wire, and for decompression bombs."""
    declared = fields.get("content-length")
    if declared is not None and declared.isdigit() and (len(declared) > 15 or int(declared) > limit):
        raise _too_large(host, limit)
    decode = decoder(fields.get("content-encoding") or "")
    content, wire = bytearray(), 0
    async for raw in answer.aiter_stream():
        wire += len(raw)
        if wire > limit:
            raise _too_large(host, limit)
        for piece in decode.feed(raw):
            content += piece
            if len(content) > limit:
                raise _too_large(host, limit)
            if len(content) > RATIO_FREE_BYTES and len(content) > RATIO_MAX * wire:
                raise BodyTooLarge(f"{host} sent a body that unfolds to {RATIO_MAX} times its size", hint="A bomb.")
            await anyio.lowlevel.checkpoint()  # decoding is our time, not the network's: let others run
    decode.finish()
    return bytes(content)


def _too_large(host: str, limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"{host} sent more than {limit:,} bytes", hint=_HINT)
