"""The values of the supervision tree: what a child is, what may happen to it, and how it looks from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec

from pipeline.errors import AtlasError
from pipeline.flow.pulse import Pulse

Started = Callable[[], None]
Start = Callable[[Started], Awaitable[None]]


class Strategy(StrEnum):
    """Who is restarted with a crashed child."""

    ONE_FOR_ONE = "one_for_one"  # nobody
    REST_FOR_ONE = "rest_for_one"  # those started after it
    ONE_FOR_ALL = "one_for_all"  # all


class Restart(StrEnum):
    """When a child that has ended is started again."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # after a crash or a stall
    TEMPORARY = "temporary"  # never, not even with its neighbours


class Life(StrEnum):
    """Where a child is between birth and death."""

    STARTING = "starting"  # waits for its turn, or has not said yet that it is up
    RUNNING = "running"
    BACKING_OFF = "backing_off"  # has ended, will be started again
    STOPPING = "stopping"  # cancelled, has not ended yet
    STOPPED = "stopped"  # ended as it should, or was stopped
    FAILED = "failed"  # ended by an error and will not come back


class Happening(StrEnum):
    """What a supervisor reports of its children."""

    START = "start"
    CRASH = "crash"
    RESTART = "restart"  # started again; `delay` is the back-off that came before
    STALL = "stall"  # no beat when one was due: cancelled
    STOP = "stop"  # ended without an error
    GIVE_UP = "give_up"  # a supervisor fails, with the error that was one too many


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor must know of a child.

    `start` runs for the life of the child and calls the function that it is given once it is up: the next child is
    started after that. It is cancelled to stop it, and then has `shutdown` seconds to end.
    """

    name: str
    start: Start
    restart: Restart = Restart.PERMANENT
    start_within: float = 30.0
    shutdown: float = 5.0
    pulse: Pulse | None = None


class ChildEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `path`: the names from the root down. `delay`: it comes back in so many seconds."""

    kind: Happening
    path: str
    error: BaseException | None = None
    error_id: str | None = None
    delay: float | None = None


class ChildState(msgspec.Struct, frozen=True, kw_only=True):
    """A child as it is now. Counters are kept over restarts, also those of the supervisors above it."""

    name: str
    kind: str  # supervisor, task
    state: Life
    restarts: int  # times it was started again, for whatever reason
    stalls: int
    last_error: str | None  # with its error id
    since: float  # when it came to this state, on trio's clock
    children: tuple[ChildState, ...] = ()


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """What the tree asks of the world. `stuck` gets the path of a child that does not end although it was cancelled:

    no task can be killed, so `stuck` is where the process is ended.
    """

    report: Callable[[ChildEvent], None]
    error_id: Callable[[BaseException, str], str]  # the id for an error of the child at a path; it is kept under it
    random: Callable[[], float]
    stuck: Callable[[str], None]


class Hopeless(AtlasError):
    """Raised by a child when starting it again cannot help: every supervisor above gives up at once."""

    code = "hopeless"

    def __init__(self, message: str, *, exit_code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class SupervisorGaveUp(AtlasError):
    """The budget is spent, or a child is stuck or hopeless. For the supervisor above this is a crash like any."""

    code = "gave_up"

    def __init__(self, message: str, *, hopeless: Hopeless | None = None) -> None:
        super().__init__(message)
        self.hopeless = hopeless


class ChildStalled(AtlasError):
    code = "stalled"


class ChildNotStarted(AtlasError):
    code = "not_started"


class ChildStuck(AtlasError):
    code = "stuck"


def at_once(run: Callable[[], Awaitable[None]]) -> Start:
    """A child with nothing to wait for: the next one is started right after it."""

    async def start(started: Started) -> None:
        started()
        await run()

    return start


def hopeless_part(error: BaseException | None) -> Hopeless | None:
    """The reason in `error`, at any depth, why a restart cannot help."""
    match error:
        case Hopeless():
            return error
        case SupervisorGaveUp():
            return error.hopeless
        case BaseExceptionGroup():
            return next((found for part in error.exceptions if (found := hopeless_part(part))), None)
        case _:
            return None
