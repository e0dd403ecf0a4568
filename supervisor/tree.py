"""The tree of what runs: a supervisor starts its children in order, restarts the crashed, stops all in reverse.

OTP's rules on trio. The supervisor's own task is the only one that decides; children only run and end.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

import trio

from supervisor.child import (
    ChildEvent,
    ChildSpec,
    ChildState,
    ChildStuck,
    Happening,
    Hooks,
    Life,
    Restart,
    Started,
    Strategy,
    SupervisorGaveUp,
    hopeless_part,
)
from supervisor.place import Place, restarted_with
from supervisor.restart import RestartPolicy

PULSE_CHECK_SECONDS = 1.0


class Supervisor:
    """A part of the tree. Children are tasks (ChildSpec) or supervisors (permanent, stopped in their own time).

    `drain` is called first when the supervisor stops: it asks the children to end by themselves and returns how many
    seconds they get for it before they are cancelled (0: none, as when a neighbour's crash restarts them).
    """

    def __init__(
        self,
        name: str,
        children: Sequence[ChildSpec | Supervisor],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        max_restarts: int = 5,
        within: float = 30.0,
        drain: Callable[[], float] | None = None,
    ) -> None:
        self.name: str = name
        names = [child.name for child in children]
        if len(set(names)) != len(names):
            raise ValueError(f"two children of {name} have the same name: {', '.join(names)}")
        self._children = tuple(children)
        self._nested = {child.name: child for child in children if isinstance(child, Supervisor)}
        self._strategy = strategy
        self._policy = RestartPolicy(max_restarts=max_restarts, within=within)
        self._drain = drain
        self._places: tuple[Place, ...] = ()
        self._crashes: deque[float] = deque(maxlen=max_restarts + 1)
        self._wake = trio.Event()
        self._scope: trio.CancelScope | None = None
        self._ended, self._idle = trio.Event(), trio.Event()
        self._idle.set()  # nothing runs yet
        self._hurried = False
        self._draining: trio.CancelScope | None = None
        self._dismissed = False
        self._last_error: str | None = None
        self._life = Life.STARTING
        self._since = 0.0

    def attach(self, hooks: Hooks, path: str) -> None:
        """Give it and everything below it its place in the tree. Once, before it runs."""
        self._hooks = hooks
        self._path = path
        for nested in self._nested.values():
            nested.attach(hooks, f"{path}/{nested.name}")

    # From outside

    def snapshot(self) -> ChildState:
        """The tree below, as it is now."""
        return ChildState(
            name=self.name,
            kind="supervisor",
            state=self._life,
            restarts=0,
            stalls=0,
            last_error=self._last_error,
            since=self._since,
            children=tuple(self._state_of(place) for place in self._places),
        )

    async def stop(self) -> None:
        """Stop this part for good: drained, in reverse order; the supervisor above does not start it again."""
        self._dismissed = True
        if self._scope is not None:
            self._scope.cancel()
            await self._ended.wait()

    async def emptied(self) -> None:
        """Wait until no task is left in this part, nor one to be started again: what a drain waits for."""
        await self._idle.wait()
        for nested in self._nested.values():
            await nested.emptied()

    def hurry(self) -> None:
        """Drain no longer, here and below: what is still at work is cancelled."""
        self._hurried = True
        if self._draining is not None:
            self._draining.cancel()
        for nested in self._nested.values():
            nested.hurry()

    @property
    def dismissed(self) -> bool:
        """Whether it was asked to stop for good."""
        return self._dismissed

    # Its life

    async def run(self, started: Started) -> None:
        """Run until cancelled or stopped. Raises SupervisorGaveUp when it fails. May be run again after its end."""
        self._crashes.clear()
        self._ended, self._idle = trio.Event(), trio.Event()
        self._enter(Life.STARTING)
        if not self._places:
            self._places = tuple(self._place(child) for child in self._children)
        failure: SupervisorGaveUp | None = None
        try:
            async with trio.open_nursery() as nursery:
                failure = await self._oversee(nursery, started)
        finally:
            self._enter(Life.STOPPED if failure is None else Life.FAILED)
            self._scope = None
            self._ended.set()
            self._idle.set()
        if failure is not None:
            raise failure

    async def _oversee(self, nursery: trio.Nursery, started: Started) -> SupervisorGaveUp | None:
        failure: SupervisorGaveUp | None = None
        try:
            with trio.CancelScope() as self._scope:
                if not self._dismissed:
                    await self._keep_running(nursery, started)
        except SupervisorGaveUp as gave_up:
            failure = gave_up
        finally:
            self._enter(Life.STOPPING)
            # Bounded by the drain and by the children's own `shutdown`, past which `stuck` ends the process.
            with trio.CancelScope(shield=True):
                await self._stop_all(drained=failure is None)
        return failure

    async def _keep_running(self, nursery: trio.Nursery, started: Started) -> None:
        for place in self._places:
            place.expect_first_start()
        while True:
            self._wake = trio.Event()
            now = trio.current_time()
            for place in self._places:
                place.check(now)
                if place.stuck(now):
                    raise self._escape(place)
                if place.over:
                    await self._after_end(place)
            self._launch_due(nursery, now)
            if all(place.vacant or place.spec.name in self._nested for place in self._places):
                self._idle.set()
            if self._life is Life.STARTING and not any(place.coming for place in self._places):
                self._enter(Life.RUNNING)
                started()
            with trio.move_on_at(self._next_look(now)):
                await self._wake.wait()

    def _launch_due(self, nursery: trio.Nursery, now: float) -> None:
        """Start what is due, in order: one never up yet or restarted with neighbours holds up the later ones."""
        for place in self._places:
            if place.pending and now >= place.due:
                place.launch(nursery)
            if place.coming and not (place.begun and self._strategy is Strategy.ONE_FOR_ONE):
                return

    def _next_look(self, now: float) -> float:
        """When to look even if no child ends. What was due by `now` was dealt with, or waits for its turn."""
        looks = [place.due for place in self._places if place.due > now]
        if any(place.spec.pulse is not None for place in self._places):
            looks.append(now + PULSE_CHECK_SECONDS)
        return min(looks, default=math.inf)

    # An end, and what follows from it

    async def _after_end(self, place: Place) -> None:
        error = place.error
        hopeless = hopeless_part(error) is not None
        comes_back = place.comes_back() and not self._was_dismissed(place)
        delay = self._delay(place) if comes_back and not hopeless else None
        place.report_end(delay)
        if delay is not None:
            await self._restart_group(place, delay)
            return
        place.settle(Life.STOPPED if error is None else Life.FAILED)
        if comes_back or hopeless:
            raise self._give_up(f"{place.path} ended once too often" if not hopeless else str(error), error)

    def _delay(self, place: Place) -> float | None:
        now = trio.current_time()
        self._crashes.append(now)
        place.crashes.append(now)
        return self._policy.decide(self._crashes, place.crashes, self._hooks.random, now=now)

    async def _restart_group(self, crashed: Place, delay: float) -> None:
        group = restarted_with(crashed, self._places, self._strategy)
        for place in reversed(group):
            if place is not crashed and not await self._halt(place, delay):
                raise self._escape(place)
        for place in group:
            if place is crashed or not self._stays_down(place):
                place.back_off(delay)

    def _stays_down(self, place: Place) -> bool:
        """Whether a neighbour's restart leaves it as it is: temporary and had its turn, or stopped for good."""
        return (place.spec.restart is Restart.TEMPORARY and place.begun) or self._was_dismissed(place)

    def _was_dismissed(self, place: Place) -> bool:
        nested = self._nested.get(place.spec.name)
        return nested is not None and nested.dismissed

    # Stopping

    async def _stop_all(self, *, drained: bool) -> None:
        if drained:
            await self._let_finish()
        for place in reversed(self._places):
            if not await self._halt(place, None):
                self._escape(place)
            elif place.pending:
                place.settle(Life.STOPPED)

    async def _let_finish(self) -> None:
        if self._drain is None or self._hurried:
            return
        with trio.move_on_after(self._drain()) as self._draining:
            for place in self._places:
                nested = self._nested.get(place.spec.name)
                if nested is not None and place.occupied:
                    await nested.emptied()
                elif place.occupied:
                    await place.wait_ended(math.inf)

    async def _halt(self, place: Place, delay: float | None) -> bool:
        """Stop a child, to be started again after `delay` if that is given; False when it does not end."""
        if not place.occupied:
            return True
        place.cancel()
        if not await place.wait_ended(place.due):
            return False
        place.report_end(delay)
        place.settle(Life.STOPPED)
        return True

    # Telling

    def _escape(self, place: Place) -> SupervisorGaveUp:
        """A cancelled child does not end: say so, and let `stuck` end the process. Its task stays where it is."""
        stuck = ChildStuck(f"{place.path} was cancelled and did not end within {place.spec.shutdown:g} s")
        place.report(Happening.CRASH, stuck)
        place.settle(Life.FAILED)
        failure = self._give_up(str(stuck), stuck)
        self._hooks.stuck(place.path)
        return failure

    def _give_up(self, message: str, error: Exception | None) -> SupervisorGaveUp:
        failure = SupervisorGaveUp(f"{self._path} gave up: {message}", hopeless=hopeless_part(error))
        failure.__cause__ = error
        error_id = self._hooks.error_id(failure, self._path)
        self._last_error = f"{failure} [{error_id}]"
        self._hooks.report(ChildEvent(kind=Happening.GIVE_UP, path=self._path, error=failure, error_id=error_id))
        return failure

    def _look(self) -> None:
        self._wake.set()

    def _enter(self, life: Life) -> None:
        self._life = life
        self._since = trio.current_time()

    def _place(self, child: ChildSpec | Supervisor) -> Place:
        if isinstance(child, Supervisor):  # bounded by what is below it
            child = ChildSpec(name=child.name, start=child.run, start_within=math.inf, shutdown=math.inf)
        return Place(child, f"{self._path}/{child.name}", self._hooks, self._look)

    def _state_of(self, place: Place) -> ChildState:
        nested = self._nested.get(place.spec.name)
        if nested is None:
            return place.state()
        return place.state("supervisor", nested.snapshot().children)


async def supervise(root: Supervisor, hooks: Hooks, *, started: Started = lambda: None) -> None:
    """Run a whole tree until it is cancelled or `root.stop()`ped. Raises SupervisorGaveUp when the root fails."""
    root.attach(hooks, root.name)
    await root.run(started)
