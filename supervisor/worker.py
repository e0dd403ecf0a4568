"""The worker role: the pipeline under its supervision tree, on trio.

The tree: leases, then the stage actors (sink first, so that whoever sends finds who receives), then the dispatcher that
brings work, then the reporter. Stopping goes the other way round: no new leases, then the actors drain, then the rest.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from observability import metrics, redact
from observability.log import Logger, flush
from observability.names import Event
from observability.unexpected import Ledger
from pipeline.clock import Clock
from pipeline.errors import TAKES_NO_WRITE, StoreError
from pipeline.flow.actor import Actor
from pipeline.flow.line import Line
from pipeline.flow.pulse import Pulse
from pipeline.stage import StageActor
from pipeline.store.handle import Store
from pipeline.store.status import PAUSED, ActorReport, RoleReport
from supervisor.child import (
    ChildEvent,
    ChildSpec,
    ChildState,
    Happening,
    Hooks,
    Life,
    Restart,
    Start,
    Strategy,
    at_once,
)
from supervisor.doorbell import Bell, Doorbell
from supervisor.exits import Exit
from supervisor.notify import Notify, watchdog
from supervisor.parts import tell_status, writer_works
from supervisor.settings import Config
from supervisor.tree import Supervisor

LEAF_RESTARTS, LEAF_WITHIN = 5, 30.0  # of one actor; more, and the worker ends for systemd to start it anew
SERVICE_RESTARTS, SERVICE_WITHIN = 3, 60.0
SERVICES = ("keeper", "dispatcher", "doorbell", "reporter", "watchdog", "recorder", "control")  # beside the stages
TELEMETRY_RESTARTS = 10_000  # more than the back-off allows in that time
REPORT_SECONDS = 10.0  # between two reports when nothing changes; on change at most one a second
LEAST_REPORT_SECONDS = 1.0
SLOT_SHUTDOWN_SECONDS = 7.0  # a cancelled slot gives its lease back in at most 5


class Worker:
    """One worker process's parts, wired. `root` is the tree to supervise."""

    def __init__(
        self,
        config: Config,
        *,
        store: Store,
        stages: Sequence[StageActor],
        clock: Clock,
        boot: str,
        api_bell: Doorbell,
        own_bell: Bell,
        notify: Notify,
        log: Logger,
        mishaps: Ledger,
        telemetry: Sequence[ChildSpec] = (),
    ) -> None:
        """`telemetry`: what only looks on."""
        self._config = config
        self._store = store
        self._clock = clock
        self._boot = boot
        self._api_bell = api_bell
        self._own_bell = own_bell
        self._notify = notify
        self._log = log
        self._mishaps = mishaps
        self._changed = trio.Event()
        self.stopping = False  # set when the process was asked to stop
        self._started_at = clock.wall_ms()
        self.line = Line(
            stages,
            store=store,
            clock=clock,
            boot=boot,
            queue=config.queue,
            retry=config.retry,
            random=random.random,
            mishaps=mishaps,
            news=self._news,
            log=log,
        )
        self._actors = {actor.spec.name: actor for actor in self.line.actors}
        self._pipeline = self._pipeline_tree()
        self.root = self._tree(telemetry)
        self.hooks = Hooks(
            report=self._report_event,
            error_id=lambda error, path: mishaps.note(error, place=path),
            random=random.random,
            stuck=self._stuck,
        )

    def _tree(self, telemetry: Sequence[ChildSpec]) -> Supervisor:
        keeper, dispatcher = Pulse(), Pulse()
        leases = ChildSpec(name="keeper", start=_pulsed(self.line.keeper.run, keeper), pulse=keeper)
        claims = ChildSpec(name="dispatcher", start=_pulsed(self.line.dispatcher.run, dispatcher), pulse=dispatcher)
        # Each part has its own budget; the root has none: the first part to give up ends the process, because
        # budgets of several levels multiply.
        return Supervisor(
            "worker",
            [
                _service("leases", leases),
                self._pipeline,
                _service("intake", claims, ChildSpec(name="doorbell", start=at_once(self._listen))),
                _service("reporter", ChildSpec(name="reporter", start=at_once(self._report_on_change))),
                _service("watchdog", ChildSpec(name="watchdog", start=at_once(self._feed_watchdog))),
                _telemetry(telemetry),
            ],
            strategy=Strategy.REST_FOR_ONE,
            max_restarts=0,
        )

    def _pipeline_tree(self) -> Supervisor:
        return Supervisor(
            "pipeline",
            [_actor_tree(actor) for actor in reversed(self.line.actors)],
            max_restarts=0,
            drain=self._begin_drain,
        )

    def _begin_drain(self) -> float:
        """Asked to stop, the steps in hand get their time; when another part has failed, none: they are given back."""
        self.line.close()
        return self._config.worker.drain_seconds if self.stopping else 0.0

    async def _listen(self) -> None:
        while True:
            if await self._own_bell.wait(REPORT_SECONDS):
                self.line.dispatcher.ring()

    def _news(self) -> None:
        self._api_bell.ring()
        self._changed.set()

    # Telling

    def _report_event(self, event: ChildEvent) -> None:
        self._changed.set()
        if event.kind is Happening.START:
            self._log.debug(Event.ACTOR_STARTED, actor=event.path)
        actor = _actor_of(event.path)
        if event.kind is Happening.RESTART:
            metrics.ACTOR_RESTARTS.add(actor=actor)
        if event.kind is Happening.STALL:
            metrics.ACTOR_STALLS.add(actor=actor)
        if event.kind not in _EVENTS:
            return
        name = _EVENTS[event.kind]
        self._log.warning(
            name,
            actor=event.path,
            error=redact.error(event.error) if event.error else "",
            error_id=event.error_id,
            delay=event.delay,
            exc_info=event.error if event.kind is Happening.CRASH else None,
        )

    def _stuck(self, path: str) -> None:
        self._log.critical(Event.ROLE_FAILED, actor=path, detail="a cancelled task does not end; the process does")
        flush()
        os._exit(Exit.INTERNAL)

    async def _report_on_change(self) -> None:
        """Keep the worker's row true: on change, at most once a second, and at least every REPORT_SECONDS."""
        while True:
            self._changed = trio.Event()
            with contextlib.suppress(*TAKES_NO_WRITE):  # the next report says it all again
                await self._store.status.report(self.report())
            await tell_status(self._notify, self._store)
            await trio.sleep(LEAST_REPORT_SECONDS)
            with trio.move_on_after(REPORT_SECONDS - LEAST_REPORT_SECONDS):
                await self._changed.wait()

    async def _feed_watchdog(self) -> None:
        if self._notify.watchdog_seconds is None:
            await trio.sleep_forever()
        else:
            await watchdog(self._notify, self._notify.watchdog_seconds, self._healthy)

    def _healthy(self) -> bool:
        """The watchdog is fed only while the writer commits; the pulses of actors are the tree's to watch."""
        return writer_works(self._config, self._store)

    def report(self, *, stopped: bool = False) -> RoleReport:
        """What this worker says of itself now."""
        now = self._clock.wall_ms()
        trees = {state.name: state for state in self._pipeline.snapshot().children}
        return RoleReport(
            role="worker",
            boot=self._boot,
            pid=os.getpid(),
            started_at=self._started_at,
            seen_at=now,
            stopped_at=now if stopped else None,
            actors=tuple(
                _actor_report(actor, trees.get(name), stopped, self._store.bodies.fault)
                for name, actor in self._actors.items()
            ),
        )


def _actor_of(path: str) -> str:
    """The part of the tree, without the number of its slot: a label of metrics is one of few."""
    return path.partition("/slot-")[0].rpartition("/")[2]


_EVENTS = {
    Happening.CRASH: Event.ACTOR_CRASHED,
    Happening.RESTART: Event.ACTOR_RESTARTED,
    Happening.STALL: Event.ACTOR_STALLED,
    Happening.GIVE_UP: Event.SUPERVISOR_GAVE_UP,
}


def _service(name: str, *children: ChildSpec) -> Supervisor:
    return Supervisor(
        name, children, strategy=Strategy.REST_FOR_ONE, max_restarts=SERVICE_RESTARTS, within=SERVICE_WITHIN
    )


def _telemetry(children: Sequence[ChildSpec]) -> Supervisor:
    """Started again for ever: that the work cannot be looked at may stop no item."""
    return Supervisor("telemetry", children, max_restarts=TELEMETRY_RESTARTS, within=SERVICE_WITHIN)


def _actor_tree(actor: Actor) -> Supervisor:
    """One stage: its slots, each restarted alone. A slot that ends because its mailbox closed stays down."""
    slots = []
    for number in range(actor.spec.slots):
        pulse = Pulse()
        slots.append(
            ChildSpec(
                name=f"slot-{number}",
                start=_pulsed(actor.run_slot, pulse),
                restart=Restart.TRANSIENT,
                shutdown=SLOT_SHUTDOWN_SECONDS,
                pulse=pulse,
            )
        )
    return Supervisor(actor.spec.name, slots, max_restarts=LEAF_RESTARTS, within=LEAF_WITHIN)


def _pulsed(run: Callable[[Pulse], Awaitable[None]], pulse: Pulse) -> Start:
    return at_once(partial(run, pulse))


def _actor_report(
    actor: Actor, state: ChildState | None, stopped: bool, archive_fault: StoreError | None
) -> ActorReport:
    slots = () if state is None else state.children
    errors = [slot.last_error for slot in slots if slot.last_error is not None]
    word = _word(slots, stopped)
    if archive_fault is not None and actor.spec.needs_bodies and word == "running":
        word, errors = PAUSED, [archive_fault.message]
    return ActorReport(
        name=actor.spec.name,
        state=word,
        restarts=sum(slot.restarts for slot in slots),
        stalls=sum(slot.stalls for slot in slots),
        slots=actor.spec.slots,
        busy=actor.busy,
        mailbox=actor.inbox.depth,
        capacity=actor.inbox.capacity,
        last_error=errors[-1] if errors else None,
    )


def _word(slots: Sequence[ChildState], stopped: bool) -> str:
    lives = {slot.state for slot in slots}
    if stopped or (lives and lives <= {Life.STOPPED}):
        return "stopped"
    if Life.FAILED in lives:
        return "failed"
    return "restarting" if Life.BACKING_OFF in lives else "running"
