"""The catalogue: every log event has its name and its meaning here, once."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Event(StrEnum):
    """A log event. Its value is what stands in the log, `meaning` is what an operator should know of it."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    ROLE_STARTED = "role.started", "A role is up and does its work."
    ROLE_STOPPING = "role.stopping", "A role was asked to stop; it takes nothing new and drains."
    ROLE_STOPPED = "role.stopped", "A role has ended in order."
    ROLE_FAILED = "role.failed", "A role ends because it cannot go on; its exit code is not 0."
    CHILD_RESTARTED = "child.restarted", "`atlas up` has started a process again."
    CHILD_EXITED = "child.exited", "A process of `atlas up` has ended; it is started again while its budget lasts."
    ACTOR_STARTED = "actor.started", "A supervised actor runs."
    ACTOR_CRASHED = "actor.crashed", "An actor raised; the supervisor decides about a restart."
    ACTOR_RESTARTED = "actor.restarted", "An actor runs again after a crash or a stall."
    ACTOR_STALLED = "actor.stalled", "An actor held an item past its deadline without progress and was cancelled."
    SUPERVISOR_GAVE_UP = "supervisor.gave_up", "More restarts than the budget allows; the failure goes upwards."
    ITEM_FINISHED = "item.finished", "A stage has finished an item and its outcome is on the disk (debug)."
    STAGE_FAILED = "stage.failed", "A stage raised something unexpected on an item; it is tried again, then buried."
    ITEM_RETRIED = "item.retried", "A stage failed on an item; it is tried again later (debug)."
    ITEM_BURIED = "item.buried", "An item became a dead letter, with its reason; it can be replayed."
    ITEM_STAYS = "item.stays", "A kept item could not be fetched or made anew; it stays as it was, with the reason."
    LEASE_LOST = "lease.lost", "A finished step was dropped, because the row had gone to somebody else."
    LEASES_RECLAIMED = "lease.reclaimed", "Leases of a worker that died were taken back."
    ARCHIVE_AWAY = "archive.away", "archive.db cannot be used: the library works, what needs bodies waits."
    PROVIDER_ENDS = "provider.ends", "A configured service is shut down by its maker on that day; choose another one."
    QUEUE_DRIFT = "queue.drift", "The kept counts differ from a recount; they were repaired."
    REQUEST_FAILED = "request.failed", "A request ended in an error of ours; the error id is in the answer."
    LIBRARY = "library.message", "A message of a library, routed into our log."
