"""The stage numbers and the legal moves between them. The number is the engine: every step an item takes has one.

Hundreds are actors, tens are steps inside them. Beside its number an item has a state; a dead item keeps the
number at which it died.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final


class Stage(IntEnum):
    """Where an item is. Stored as the number, shown as the name."""

    DISCOVERED = 10  # seen in a feed
    BATCH_RECEIVED = 20  # received in an import
    PENDING = 50  # accepted on disk, waiting for room in the queue
    RECEIVED = 100
    QUEUED = 110
    FETCHING = 120
    FETCH_FAILED = 130
    FALLING_BACK = 140
    RETRIEVED = 150
    RETRIEVED_ELSEWHERE = 160  # with provenance: provider, date, similarity
    ACQUIRED = 190
    VALIDATING = 200
    QUALITY = 210
    COMPLETENESS = 230
    FORMAT = 240
    PASSED = 250
    FAILED = 280  # goes back to 140 while a provider is left
    PROCESSING = 300
    EXTRACTED = 310
    TRANSCRIPT = 320
    METADATA = 350
    FORMATTED = 360
    PROCESSED = 390
    ENRICHING = 400
    SUMMARISED = 420
    TOPICS = 430
    ENRICHED = 490
    FINALISING = 500
    CROSS_REFERENCED = 510
    INDEXED = 540
    DONE = 590
    DUPLICATE = 599


class State(StrEnum):
    """What is happening to an item at its number."""

    DEFERRED = "deferred"  # on disk, no room in the queue yet
    READY = "ready"  # may be claimed
    LEASED = "leased"  # a worker holds it
    WAITING = "waiting"  # back-off or an open breaker; becomes ready at its due time
    DONE = "done"
    DUPLICATE = "duplicate"
    DEAD = "dead"  # dead letter: kept with its reason, can be replayed


class Verdict(StrEnum):
    """What validate found the fetched body to be. Only full and partial are ever shown as the article."""

    FULL = "full"
    PARTIAL = "partial"
    STUB = "stub"
    BLOCKED = "blocked"
    DEAD_LINK = "dead_link"


class Priority(IntEnum):
    """Who is waiting: lower is served first."""

    PERSON = 0
    FEED = 1
    IMPORT = 2


IN_FLIGHT: Final = frozenset({State.DEFERRED, State.READY, State.LEASED, State.WAITING})
TERMINAL: Final = frozenset({State.DONE, State.DUPLICATE, State.DEAD})

# The step at which a row enters each actor. 0-99 belongs to discover, whose rows are feed polls and not items.
ENTRY: Final = {
    0: Stage.DISCOVERED,
    100: Stage.QUEUED,
    200: Stage.VALIDATING,
    300: Stage.PROCESSING,
    400: Stage.ENRICHING,
    500: Stage.FINALISING,
}


def hundred(number: int) -> int:
    """The actor that a stage number belongs to: 0, 100, ... 500."""
    return number - number % 100


def may_advance(number: int, to: int) -> bool:
    """Whether a row at `number` may move to `to`: forward within its actor, or to where a later one is entered."""
    return to > number and (hundred(to) == hundred(number) or ENTRY.get(hundred(to)) == to)


def may_divert(number: int, to: int) -> bool:
    """Whether a row may go to falling back (140): after a fetch in vain, or from a failed validation."""
    return hundred(number) in (100, 200) and to == Stage.FALLING_BACK
