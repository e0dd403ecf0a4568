"""Unexpected errors: each gets an id that is the same whenever the same thing goes wrong at the same place.

The id is made from the error alone, so it is known without asking anybody, also while the database is what has failed:
it stands in the answer, the log, the span and the item's reason, and under it the error is kept with its traceback.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from typing import Final

import msgspec

from observability import metrics, redact

MESSAGE_MOST: Final = 1000  # letters
TRACEBACK_MOST: Final = 20_000
PARTS_MOST: Final = 500  # of an error's way through the code, causes and the members of groups included
DIFFERENT_MOST: Final = 200  # between two times that they are taken; further ones are only logged
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, as of uids: can be read over the telephone


class Unexpected(msgspec.Struct, frozen=True, kw_only=True):
    """What has gone wrong at one place, since it was taken last. Times are wall ms."""

    id: str
    kind: str  # the exception's class
    message: str  # of the last time
    traceback: str  # of the first of these times
    place: str  # stage.extract, request GET /…, actor worker/pipeline/…
    count: int
    first_seen: int
    last_seen: int
    item: str | None = None  # of the last time
    correlation_id: str | None = None


def error_id(error: BaseException) -> str:
    """Eight letters, the same for the same kind of exception raised along the same path through the code.

    Neither messages nor line numbers are in it: they differ from item to item and from release to release.
    """
    parts: list[str] = []
    left = [error]
    while left and len(parts) < PARTS_MOST:
        current = left.pop()
        parts.append(_kind(current))
        frames = traceback.extract_tb(current.__traceback__)
        # Each once: how deep a recursion was says nothing about the error either.
        parts += dict.fromkeys(f"{_module(frame.filename)}:{frame.name}" for frame in frames)
        before = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if before is not None:
            left.append(before)
        if isinstance(current, BaseExceptionGroup):
            left += reversed(current.exceptions)
    digest = int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest()[:5], "big")
    return "".join(_ALPHABET[(digest >> shift) & 31] for shift in range(35, -1, -5))


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _module(path: str) -> str:
    """The last two parts: where a checkout or a Python lies says nothing about the error."""
    return "/".join(path.replace("\\", "/").rsplit("/", 2)[-2:])


class Ledger:
    """The unexpected errors of one process until somebody takes them to be kept. Bounded; noting never waits."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._noted: dict[str, Unexpected] = {}

    def note(
        self, error: BaseException, *, place: str, item: str | None = None, correlation_id: str | None = None
    ) -> str:
        """Note an error; its id. A thousand times the same one are one entry with a count."""
        found = error_id(error)
        metrics.ERRORS.add()
        before, now = self._noted.get(found), self._wall_ms()
        if before is None and len(self._noted) >= DIFFERENT_MOST:
            return found
        self._noted[found] = Unexpected(
            id=found,
            kind=_kind(error),
            message=redact.error(error, most=MESSAGE_MOST).partition(": ")[2],
            traceback=_told(error) if before is None else before.traceback,  # the same way through the code
            place=place,
            count=1 if before is None else before.count + 1,
            first_seen=now if before is None else before.first_seen,
            last_seen=now,
            item=item,
            correlation_id=correlation_id,
        )
        return found

    def take(self) -> tuple[Unexpected, ...]:
        """What was noted since the last time; they are the caller's to keep."""
        taken, self._noted = tuple(self._noted.values()), {}
        return taken

    def put_back(self, taken: tuple[Unexpected, ...]) -> None:
        """They could not be kept: remember them, together with what came meanwhile."""
        for each in taken:
            later = self._noted.get(each.id)
            if later is None and len(self._noted) < DIFFERENT_MOST:
                self._noted[each.id] = each
            elif later is not None:
                self._noted[each.id] = msgspec.structs.replace(
                    later, count=later.count + each.count, first_seen=each.first_seen
                )


def _told(error: BaseException) -> str:
    """The traceback without secrets; of a very long one its end, where the error is."""
    text = redact.text("".join(traceback.format_exception(error)), lines=True)
    return text if len(text) <= TRACEBACK_MOST else f"…\n{text[-TRACEBACK_MOST:]}"
