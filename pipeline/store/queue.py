"""`store.queue`: what the worker does with the queue. Every call that moves a row is fenced by its lease token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from pipeline.effects import Effect, FeedPolled, KeepCapture
from pipeline.items import StepEntry
from pipeline.store import claims, counts
from pipeline.store.apply import Applying
from pipeline.store.bodies import BodyStore
from pipeline.store.claims import AT_ONCE, Moment, Outlook
from pipeline.store.counts import QueueDepth
from pipeline.store.finish import Finish, Finished, finish, keep_piece
from pipeline.store.ports import Db
from pipeline.work import Advance, Bury, Claim, Divert, Outcome


class QueueStore:
    """`store.queue`"""

    def __init__(self, db: Db, bodies: BodyStore) -> None:
        self._db = db
        self._bodies = bodies

    def _moment(self, boot: str) -> Moment:
        return Moment(now=self._db.clock.wall_ms(), monotonic=self._db.clock.monotonic(), boot=boot)

    def check(self) -> None:
        """Raises StoreDamaged in safe mode, in which no outcome is stored."""
        self._db.guard.look()

    async def claim(self, room: Mapping[int, int], *, boot: str) -> tuple[Claim, ...]:
        """Lease at most `room[hundred]` rows of each actor for the worker process `boot`. Atomic.

        Raises StoreFull while the disk is nearly full: what is in hand is ended, nothing new is begun.
        Cancelled: rows may have been leased all the same; their leases run out, or `release_all` gives them back.
        """
        self._db.check_takes_in()
        moment = self._moment(boot)
        wanted = {hundred: places for hundred, places in room.items() if places > 0}
        return await self._db.write(lambda conn: claims.claim(conn, moment, wanted, self._db.queue, self._db.random))

    async def finish(
        self, claim: Claim, outcome: Outcome, *, steps: Sequence[StepEntry], following: int | None, boot: str
    ) -> Finished:
        """Store an outcome: effects, timeline and the move, in one transaction. `Retry.after` must be decided.

        Before it, bodies go to archive.db, and of a large poll all entries but the last few hundred become items.
        Raises LeaseLost when the row is no longer ours: nothing is written then.
        Repeatable: a second call with the same claim raises LeaseLost or does the same again, never twice.
        """
        work = Finish(
            claim=claim,
            outcome=await self._in_pieces(claim, await self._archive(outcome)),
            steps=tuple(steps),
            following=following,
            moment=self._moment(boot),
        )
        return await self._db.write(lambda conn: finish(conn, work, self._db.queue, self._db.random))

    async def _in_pieces(self, claim: Claim, outcome: Outcome) -> Outcome:
        """Keep most entries of a large poll, so that no transaction holds the write lock for long; returns the rest.

        Cut off in between, the next poll finds them marked as seen.
        """
        if not isinstance(outcome, Advance):
            return outcome
        effects = [
            await self._keep_most(claim, effect) if isinstance(effect, FeedPolled) else effect
            for effect in outcome.effects
        ]
        return msgspec.structs.replace(outcome, effects=tuple(effects))

    async def _keep_most(self, claim: Claim, polled: FeedPolled) -> FeedPolled:
        entries, room = polled.entries, True
        to = Applying(item_id=None, now=self._db.clock.wall_ms(), limits=self._db.queue, random=self._db.random)
        while room and len(entries) > AT_ONCE:
            piece, entries = entries[:AT_ONCE], entries[AT_ONCE:]
            room = await self._db.write(partial(keep_piece, claim=claim, entries=piece, to=to))
        return msgspec.structs.replace(polled, entries=entries if room else (), complete=room)

    async def _archive(self, outcome: Outcome) -> Outcome:
        match outcome:
            case Advance(effects=effects) | Divert(effects=effects) | Bury(effects=effects):
                kept = [await self._keep(effect) for effect in effects]
                return msgspec.structs.replace(outcome, effects=tuple(kept))
            case _:
                return outcome

    async def _keep(self, effect: Effect) -> Effect:
        if not isinstance(effect, KeepCapture):
            return effect
        digest = await self._bodies.put(effect.content)
        return msgspec.structs.replace(effect, content=b"", digest=digest, size=len(effect.content))

    async def renew(self, tokens: Sequence[str]) -> frozenset[str]:
        """Extend leases by `[queue] lease_seconds` from now. Returns the tokens that are no longer ours."""
        until = self._db.clock.monotonic() + self._db.queue.lease_seconds
        return await self._db.write(lambda conn: claims.renew(conn, tokens, until))

    async def release(self, tokens: Sequence[str]) -> int:
        """Give rows back as ready at the stage they reached; costs no attempt. Returns how many were still ours."""
        now = self._db.clock.wall_ms()
        return await self._db.write(lambda conn: claims.release(conn, tokens, now))

    async def expire(self, *, boot: str) -> int:
        """Give back rows of this process whose lease ran out. Returns how many."""
        moment = self._moment(boot)
        return await self._db.write(lambda conn: claims.expire(conn, moment))

    async def release_all(self, *, boot: str) -> int:
        """Give back everything this process still holds, at a clean stop; costs no attempt. Returns how many."""
        moment = self._moment(boot)
        return await self._db.write(lambda conn: claims.release_all(conn, moment))

    async def reclaim(self, *, boot: str) -> tuple[int, int]:
        """Take back what dead workers held: (ready again, buried as poison). Only for the holder of worker.lock."""
        moment = self._moment(boot)
        return await self._db.write(lambda conn: claims.reclaim(conn, moment, self._db.retry.crashes))

    async def outlook(self) -> Outlook:
        """Which actors have rows ready, and when the next waiting row is due."""
        return await self._db.read(claims.outlook)

    async def depth(self) -> QueueDepth:
        """How full queue and backlog are; never a scan."""
        return await self._db.read(lambda conn: counts.queue_depth(conn, self._db.queue))
