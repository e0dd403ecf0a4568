"""One child's place in its supervisor: the task that runs there now, and what happened there before."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import trio

from supervisor.child import (
    ChildEvent,
    ChildNotStarted,
    ChildSpec,
    ChildStalled,
    ChildState,
    Happening,
    Hooks,
    Life,
    Restart,
    Strategy,
)

# Crashes remembered of a child: enough for any back-off to reach its cap.
_REMEMBERED = 32


class Place:
    """The supervisor decides; a place starts, cancels and remembers. `wake` is called when the task is up or over."""

    def __init__(self, spec: ChildSpec, path: str, hooks: Hooks, wake: Callable[[], None]) -> None:
        self.spec = spec
        self.path = path
        self._hooks = hooks
        self._wake = wake
        self.restarts = 0
        self.stalls = 0
        self.last_error: str | None = None
        self.crashes: deque[float] = deque(maxlen=_REMEMBERED)
        self._runs = 0
        self.life = Life.STARTING
        self.since = trio.current_time()
        self.expect_first_start()

    def expect_first_start(self) -> None:
        """The supervisor itself starts, for the first time or again."""
        self.crashes.clear()
        self._scope: trio.CancelScope | None = None
        self._ended = trio.Event()
        self._error: Exception | None = None
        self._verdict: Exception | None = None
        self.begun = False  # was up once since the supervisor started, or never will be
        self.pending = True  # to be started when it is due and its turn
        self.due = -math.inf  # when to start it, or by when it must be up, or by when it must have ended
        self.delay: float | None = None
        self._become(Life.STARTING)

    # What the supervisor does to it

    def launch(self, nursery: trio.Nursery) -> None:
        """Start the task."""
        kind = Happening.RESTART if self._runs else Happening.START
        self.restarts += 1 if self._runs else 0
        self._runs += 1
        self.pending = False
        self._error = self._verdict = None
        self._ended = trio.Event()
        # Shielded: when all is cancelled from outside, the supervisor still stops its children one by one, in order.
        self._scope = trio.CancelScope(shield=True)
        self.due = trio.current_time() + self.spec.start_within
        if self.spec.pulse is not None:
            self.spec.pulse.restarted()
        self._become(Life.STARTING)
        self.report(kind, delay=self.delay)
        nursery.start_soon(self._live, self._scope, name=self.path)

    def back_off(self, delay: float) -> None:
        """To be started again in `delay` seconds."""
        self._leave()
        self.pending = True
        self.delay = delay
        self.due = trio.current_time() + delay
        self._become(Life.BACKING_OFF)

    def settle(self, life: Life) -> None:
        """Ended for good, or until a neighbour's crash starts it again."""
        self._leave()
        self.pending = False
        self.begun = True
        self.due = math.inf
        self._become(life)

    def cancel(self, verdict: Exception | None = None) -> None:
        """Cancel the task; `verdict` is why, when that is an error of the child's."""
        if self._scope is None:
            return
        self._verdict = self._verdict or verdict
        self._scope.cancel()
        self.due = trio.current_time() + self.spec.shutdown
        self._become(Life.STOPPING)

    def check(self, now: float) -> None:
        """Cancel a task that makes no progress, or is not up in time."""
        if self.pending or self.life not in {Life.STARTING, Life.RUNNING}:
            return
        if self.life is Life.STARTING and now >= self.due:
            self.cancel(ChildNotStarted(f"{self.path} was not up after {self.spec.start_within:g} s"))
            return
        pulse = self.spec.pulse
        if pulse is not None and pulse.overdue():
            pulse.stalled = True
            self.stalls += 1
            stalled = ChildStalled(f"{self.path} made no progress in the time it had")
            self.report(Happening.STALL, stalled)
            self.cancel(stalled)

    async def wait_ended(self, until: float) -> bool:
        """Wait for the end of the task; False when it has not come by `until`."""
        with trio.move_on_at(until):
            await self._ended.wait()
        return self._ended.is_set()

    # What the supervisor asks of it

    @property
    def occupied(self) -> bool:
        """Whether there is a task whose end was not dealt with yet."""
        return self._scope is not None

    @property
    def over(self) -> bool:
        """Whether the task has ended and its end was not dealt with yet."""
        return self._scope is not None and self._ended.is_set()

    @property
    def vacant(self) -> bool:
        """Whether nothing runs and nothing is to be started."""
        return not self.occupied and not self.pending

    @property
    def coming(self) -> bool:
        """Whether it is still to come up."""
        return self.pending or self.life is Life.STARTING

    def stuck(self, now: float) -> bool:
        """Whether the task was cancelled and should have ended by `now`."""
        return self.life is Life.STOPPING and not self._ended.is_set() and now >= self.due

    @property
    def error(self) -> Exception | None:
        """What the task ended with; an error of its own says more than our reason to cancel it."""
        return self._error or self._verdict

    def comes_back(self) -> bool:
        """Whether the task that has ended is to be started again."""
        match self.spec.restart:
            case Restart.PERMANENT:
                return True
            case Restart.TRANSIENT:
                return self.error is not None
            case Restart.TEMPORARY:
                return False

    def state(self, kind: str = "task", children: tuple[ChildState, ...] = ()) -> ChildState:
        return ChildState(
            name=self.spec.name,
            kind=kind,
            state=self.life,
            restarts=self.restarts,
            stalls=self.stalls,
            last_error=self.last_error,
            since=self.since,
            children=children,
        )

    def report_end(self, delay: float | None) -> None:
        """Tell how the task has ended; a stall was told when it was cancelled."""
        if self.error is None:
            self.report(Happening.STOP, delay=delay)
        elif not isinstance(self.error, ChildStalled):
            self.report(Happening.CRASH, self.error, delay=delay)

    def report(self, kind: Happening, error: Exception | None = None, *, delay: float | None = None) -> None:
        """Tell the world; an error gets an id, and is kept as the last one."""
        error_id = None if error is None else self._hooks.error_id(error, self.path)
        if error is not None:
            self.last_error = f"{type(error).__name__}: {error} [{error_id}]"
        event = ChildEvent(kind=kind, path=self.path, error=error, error_id=error_id, delay=delay)
        self._hooks.report(event)

    # The task

    async def _live(self, scope: trio.CancelScope) -> None:
        try:
            with scope:
                await self.spec.start(self._started)
        except Exception as error:  # noqa: BLE001 - a process edge: whatever a child raises is a crash of that child
            self._error = _alone(error)
        finally:
            self._ended.set()
            self._wake()

    def _started(self) -> None:
        if self.life is Life.STARTING and self.occupied:
            self.begun = True
            self.due = math.inf
            self._become(Life.RUNNING)
            self._wake()

    def _leave(self) -> None:
        """The end was dealt with. The error goes: its frames hold on to what the task had in hand."""
        self._scope = self._error = self._verdict = None

    def _become(self, life: Life) -> None:
        if life is not self.life:
            self.life = life
            self.since = trio.current_time()


def restarted_with(crashed: Place, places: tuple[Place, ...], strategy: Strategy) -> tuple[Place, ...]:
    """The crashed one and those who are restarted with it, in their order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (crashed,)
        case Strategy.REST_FOR_ONE:
            return places[places.index(crashed) :]
        case Strategy.ONE_FOR_ALL:
            return places


def _alone(error: Exception) -> Exception:
    """The one error inside nested groups of one, which says more than they do."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
