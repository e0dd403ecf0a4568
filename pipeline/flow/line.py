"""The line: mailboxes, actors, dispatcher and lease keeper of one worker, put together from a checked topology."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from observability.log import Logger
from observability.unexpected import Ledger
from pipeline import errors
from pipeline.clock import Clock
from pipeline.flow.actor import Actor, Surroundings
from pipeline.flow.dispatcher import Dispatcher
from pipeline.flow.leases import Held, LeaseKeeper
from pipeline.flow.mailbox import Mailbox
from pipeline.settings import QueueSettings, RetrySettings
from pipeline.stage import StageActor
from pipeline.store.handle import Store
from pipeline.topology import freeze


class Line:
    """Everything between the queue and the stages. Whoever supervises runs the parts; the line owns the mailboxes."""

    def __init__(
        self,
        stages: Sequence[StageActor],
        *,
        store: Store,
        clock: Clock,
        boot: str,
        queue: QueueSettings,
        retry: RetrySettings,
        random: Callable[[], float],
        mishaps: Ledger,
        news: Callable[[], None],
        log: Logger,
    ) -> None:
        specs = freeze([stage.spec for stage in stages]).specs
        self.held = Held()
        self.mailboxes = {
            spec.hundred: Mailbox(spec.slots, on_room=partial(self._room_made, spec.hundred)) for spec in specs
        }
        self.dispatcher = Dispatcher(store.queue, self.mailboxes, self.held, boot=boot, clock=clock, log=log)
        self.keeper = LeaseKeeper(
            store.queue, self.held, boot=boot, lease_seconds=queue.lease_seconds, ring=self.dispatcher.ring
        )
        shared = Surroundings(
            store=store,
            held=self.held,
            clock=clock,
            boot=boot,
            queue=queue,
            retry=retry,
            random=random,
            mishaps=mishaps,
            ring=self.dispatcher.ring,
            news=self._item_ended,
            log=log,
        )
        by_hundred = {stage.spec.hundred: stage for stage in stages}
        self.actors = tuple(
            Actor(
                by_hundred[spec.hundred],
                self.mailboxes[spec.hundred],
                None if spec.following is None else self.mailboxes[spec.following],
                shared,
            )
            for spec in specs
        )
        self._store = store
        self._boot = boot
        self._news = news

    def _item_ended(self) -> None:
        self.dispatcher.item_left()
        self._news()

    def _room_made(self, hundred: int) -> None:
        self.dispatcher.room_made(hundred)

    def close(self) -> None:
        """Begin to stop: close the mailboxes, source first. The steps in hand go on to their end, then the slots end.

        What was in a mailbox, and what a step hands on from now, is given back at the stage it reached, at no cost.
        """
        for actor in self.actors:
            for claim in actor.inbox.close():
                self.held.drop(claim)

    async def give_back(self) -> int:
        """Return every lease of this process, once nothing works on them any more. Returns how many.

        A store that takes no write keeps them until the next worker takes them back.
        """
        self.close()
        try:
            return await self._store.queue.release_all(boot=self._boot)
        except errors.TAKES_NO_WRITE:
            return 0
