"""An actor: one stage with N slots. Receive, set the deadline, handle, commit, forward.

A stage that raises, or that returns what cannot be stored, is turned into an outcome here and nowhere else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from observability import metrics, redact, trace
from observability.log import Logger
from observability.names import Attribute, Event, Span
from observability.unexpected import Ledger
from pipeline import errors, retry
from pipeline.clock import Clock
from pipeline.flow import telling
from pipeline.flow.leases import Held
from pipeline.flow.mailbox import Closed, Mailbox
from pipeline.flow.notebook import Notebook
from pipeline.flow.pulse import Pulse
from pipeline.items import Reason
from pipeline.lifecycle import State
from pipeline.settings import QueueSettings, RetrySettings
from pipeline.stage import StageActor
from pipeline.store.finish import Finished
from pipeline.store.handle import Store
from pipeline.work import Bury, Claim, Outcome, Retry

STALL_GRACE_SECONDS = 10.0  # past its deadline; then the slot is cancelled and restarted
GIVE_BACK_SECONDS = 5.0  # for giving a lease back while being cancelled
COMMIT_SECONDS = 60.0  # for one try at storing an outcome
COMMIT_PAUSE_SECONDS = 1.0  # before the next one, while the store is busy or full


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all actors of a pipeline share."""

    store: Store
    held: Held
    clock: Clock
    boot: str
    queue: QueueSettings
    retry: RetrySettings
    random: Callable[[], float]
    mishaps: Ledger
    ring: Callable[[], None]  # tells the dispatcher that a row may be claimed
    news: Callable[[], None]  # tells the other role that something ended
    log: Logger


class Actor:
    """Runs one stage. `busy`, `inbox` and the supervisor's figures are what the pipeline page shows."""

    def __init__(self, stage: StageActor, inbox: Mailbox, onward: Mailbox | None, shared: Surroundings) -> None:
        self.stage = stage
        self.spec = stage.spec
        self.inbox = inbox
        self.busy = 0
        self.finished = 0
        self._onward = onward
        self._shared = shared

    async def run_slot(self, pulse: Pulse) -> None:
        """Handle claims one after the other until the mailbox is closed."""
        while True:
            pulse.rest()
            try:
                claim = await self.inbox.receive()
            except Closed:
                return
            self.busy += 1
            try:
                await self._work(claim, pulse)
            finally:
                self.busy -= 1

    async def _work(self, claim: Claim, pulse: Pulse) -> None:
        with trace.about(claim.trace, stage=self.spec.name, **telling.subject(claim)):
            name, notes = Span.STAGE + self.spec.name, self._notebook(claim)
            with trace.span(name, telling.entering(claim), parent=claim.trace, kind="consumer") as span:
                settled = False
                try:
                    finished = await self._take(claim, notes, pulse, span)
                    settled = True
                finally:
                    if not settled:
                        await self._give_back(claim, notes, pulse)
            pulse.expect(self._shared.queue.forward_seconds + STALL_GRACE_SECONDS)
            await self._pass_on(claim, finished, span)

    async def _take(self, claim: Claim, notes: Notebook, pulse: Pulse, span: trace.Live) -> Finished | None:
        """The step itself, then what came out of it onto the disk."""
        began = self._shared.clock.monotonic()
        pulse.expect(self.spec.deadline + STALL_GRACE_SECONDS)
        outcome = await self._judge(claim, notes)
        metrics.PROCESSING_SECONDS.record(self._shared.clock.monotonic() - began, stage=self.spec.name)
        pulse.expect(COMMIT_SECONDS + STALL_GRACE_SECONDS)
        commits = self._shared.clock.monotonic()
        stored = await self._commit(claim, outcome, notes, pulse)
        trace.ended(Span.COMMIT, self._shared.clock.monotonic() - commits)
        if stored is None:
            return None
        outcome, finished = stored
        self._told(claim, outcome, finished, span, self._shared.clock.monotonic() - began)
        return finished

    def _notebook(self, claim: Claim) -> Notebook:
        store = self._shared.store
        return Notebook(
            claim,
            clock=self._shared.clock,
            read_body=store.bodies.get,
            read_document=store.items.document_of,
        )

    async def _judge(self, claim: Claim, notes: Notebook) -> Outcome:
        """The stage's outcome, with every way to fail made a value and the time of a retry decided."""
        try:
            self._shared.store.queue.check()  # before the step: what comes out of it could not be stored
            if self.spec.needs_bodies:
                self._shared.store.bodies.check()  # so here, what it fetched
            with anyio.move_on_after(self.spec.deadline):
                return self._decided(claim, await self.stage.handle(claim, notes))
            reason = Reason(
                code="deadline",
                hint="the step took too long; it is tried again",
                detail=f"{self.spec.name} did not end within {self.spec.deadline:g} s",
            )
            return self._decided(claim, Retry(reason=reason))
        except errors.StoreBroken:
            raise
        except errors.AtlasError as error:
            return self._decided(claim, _outcome_of(error))
        except Exception as error:  # noqa: BLE001 - the one place: whatever a stage raises fails its item, not the actor
            return self._decided(claim, self._unexpected(claim, error))

    def _decided(self, claim: Claim, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Retry):
            return outcome
        policy = self._shared.retry
        return retry.decide(outcome, attempts=claim.attempts, policy=policy, random=self._shared.random)

    def _unexpected(self, claim: Claim, error: Exception) -> Retry:
        error_id = self._shared.mishaps.note(
            error,
            place=Span.STAGE + self.spec.name,
            item=telling.item(claim),
            correlation_id=claim.trace.get("correlation_id"),
        )
        trace.current().set({Attribute.ERROR_ID: error_id})
        self._shared.log.error(Event.STAGE_FAILED, error_id=error_id, exc_info=error)
        reason = Reason(
            code="internal",
            hint="this is a fault of Atlas; please report it with the error id",
            detail=redact.error(error, most=500),
            error_id=error_id,
        )
        return Retry(reason=reason)

    async def _commit(
        self, claim: Claim, outcome: Outcome, notes: Notebook, pulse: Pulse
    ) -> tuple[Outcome, Finished] | None:
        """Store the outcome, and say which one it was in the end; None when the lease is lost, or the database.

        What cannot be stored fails the item, as a bug of its stage.
        While the store is busy or full the step is kept in hand for as long as it takes: nothing new is claimed then.
        """
        queue, steps, storable = self._shared.store.queue, notes.steps, True
        while True:
            try:
                finished = await queue.finish(
                    claim, outcome, steps=steps, following=self.spec.following, boot=self._shared.boot
                )
                return outcome, finished
            except errors.LeaseLost:
                self._shared.log.warning(Event.LEASE_LOST)
                return None
            except errors.StoreDamaged:
                return None  # nobody takes it before the restore, after which the row is worked on again
            except errors.TAKES_NO_WRITE:
                pulse.beat()
                await anyio.sleep(COMMIT_PAUSE_SECONDS)
            except errors.ArchiveAway as error:
                outcome = self._decided(claim, _outcome_of(error))  # which keeps no body: this loop ends
            except Exception as error:
                if not storable or isinstance(error, errors.StoreBroken):
                    raise
                # Neither the outcome nor the steps are tried again: either may be what cannot be stored.
                storable, steps, outcome = False, [], self._decided(claim, self._unexpected(claim, error))

    def _told(self, claim: Claim, outcome: Outcome, finished: Finished, span: trace.Live, seconds: float) -> None:
        telling.tell(
            self._shared.log,
            claim,
            outcome,
            stage=self.spec.name,
            state=finished.state,
            span=span,
            seconds=seconds,
        )

    async def _pass_on(self, claim: Claim, finished: Finished | None, span: trace.Live) -> None:
        self._shared.held.drop(claim)
        self.finished += 1
        if claim.crashes:
            # Of the rows that were in hand when a worker died one is out at a time: now the next one may be claimed.
            self._shared.ring()
        if finished is None:
            return
        if finished.next is not None and self._onward is not None:
            await self._forward(telling.led_to(finished.next, span), self._onward)
        elif finished.state in (State.WAITING, State.READY) or claim.feed is not None:
            self._shared.ring()
        if finished.next is None:
            self._shared.news()

    async def _forward(self, claim: Claim, onward: Mailbox) -> None:
        """Into the next mailbox under the same lease. Without room for too long the row goes back, ready there."""
        sent = False
        self._shared.held.add(claim)
        try:
            sent = await onward.send(claim, self._shared.queue.forward_seconds)
        finally:
            if not sent:
                await self._release(claim)

    async def _give_back(self, claim: Claim, notes: Notebook, pulse: Pulse) -> None:
        if not pulse.stalled:
            await self._release(claim)
            return
        reason = Reason(
            code="stalled",
            hint="the step made no progress and was cut off; it is tried again",
            detail=f"{self.spec.name} was still at it {STALL_GRACE_SECONDS:g} s after its deadline",
        )
        self._shared.held.drop(claim)
        with anyio.move_on_after(GIVE_BACK_SECONDS, shield=True):
            stored = await self._commit(claim, self._decided(claim, Retry(reason=reason)), notes, pulse)
            if stored is not None:
                self._told(claim, *stored, trace.current(), self.spec.deadline + STALL_GRACE_SECONDS)
            self._shared.ring()

    async def _release(self, claim: Claim) -> None:
        # Bounded: a lease that cannot be given back runs out by itself.
        self._shared.held.drop(claim)
        refusals = contextlib.suppress(*errors.TAKES_NO_WRITE)
        with refusals, anyio.move_on_after(GIVE_BACK_SECONDS, shield=True):
            await self._shared.store.queue.release([claim.lease_token])
            self._shared.ring()


def _outcome_of(error: errors.AtlasError) -> Retry | Bury:
    reason = Reason(code=error.code, hint=error.hint, detail=error.message[:500])
    if not error.retryable:
        return Bury(reason=reason)
    after = getattr(error, "retry_after", None)
    return Retry(reason=reason, after=after, costs_attempt=not _postpones(error))


def _postpones(error: errors.AtlasError) -> bool:
    """Nothing that the item has done: a store too busy to be read from, a host that is left alone or asked for it."""
    if isinstance(error, errors.HttpStatus):
        return error.status in (429, 503) and error.retry_after is not None
    return isinstance(error, errors.StoreError | errors.RateLimited | errors.BreakerOpen)
