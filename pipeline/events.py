"""Events: facts already committed. They are in the outbox in the same transaction as what they tell of."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """What can have happened to an item."""

    ACCEPTED = "item.accepted"
    REQUEUED = "item.requeued"
    DONE = "item.done"
    DUPLICATE = "item.duplicate"
    BURIED = "item.buried"
    DELETED = "item.deleted"
    UNDELETED = "item.undeleted"
    MARKED = "item.marked"
