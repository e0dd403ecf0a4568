"""Page cursors: opaque to callers, checked when they come back."""

from __future__ import annotations

import base64
import binascii

import msgspec

from pipeline import errors


def encode_cursor(*numbers: int) -> str:
    """Numbers as an opaque text that is safe in a URL."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(numbers)).decode().rstrip("=")


def decode_cursor(cursor: str, count: int) -> tuple[int, ...]:
    """The `count` numbers of a cursor. Raises InvalidInput for one that is not ours."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        numbers = msgspec.msgpack.decode(raw, type=tuple[int, ...])
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise _foreign() from error
    if len(numbers) != count or any(abs(number) >= 1 << 63 for number in numbers):
        raise _foreign()
    return numbers


def _foreign() -> errors.InvalidInput:
    fault = errors.Fault(where="cursor", what="not a cursor of this list", hint="start again without one")
    return errors.InvalidInput("the cursor is not valid", faults=(fault,))
