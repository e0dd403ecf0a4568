"""How large the head of a request may be. The server's own limit counts only heads that come in several pieces."""

from __future__ import annotations

from typing import Final

from quart import request
from werkzeug.exceptions import RequestHeaderFieldsTooLarge, RequestURITooLarge

MAX_TARGET: Final = 8192  # path and query, in bytes
MAX_FIELDS: Final = 16_384  # all header fields together, as long as Hypercorn lets an unfinished head grow
_AROUND: Final = 4  # a field's colon, space and line end


def check_head() -> None:
    """Raises RequestURITooLarge (414) or RequestHeaderFieldsTooLarge (431)."""
    if len(request.scope["raw_path"]) + len(request.query_string) > MAX_TARGET:
        raise RequestURITooLarge(f"The address is too long (at most {MAX_TARGET:,} bytes).")
    if sum(len(name) + len(value) + _AROUND for name, value in request.headers.items()) > MAX_FIELDS:
        raise RequestHeaderFieldsTooLarge(f"The header fields are too large (at most {MAX_FIELDS:,} bytes together).")
