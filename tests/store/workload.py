"""All that a store is used for, at once, and a ledger of what it said: what tests of bad disks hold it to."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

import apsw
import pytest
import trio

from pipeline import errors
from pipeline.documents import Extracted
from pipeline.effects import ClaimContent, Effect, Index, KeepCapture, KeepDocument
from pipeline.items import Kind, Reason, StepEntry, Submission
from pipeline.lifecycle import State, hundred
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store import counts, writer
from pipeline.store.connection import mapped
from pipeline.store.finish import Finished
from pipeline.store.handle import Store, open_store
from pipeline.store.intake import Idempotency
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Bury, Claim, Outcome, Retry
from tests.store.hands import EVERYTHING, NEXT, TestClock

T = TypeVar("T")

CODES = {100: 190, 200: 250, 300: 390, 400: 490, 500: 540}  # the step that each stage leaves on the timeline
CHECKPOINT_PAGES = 24  # small, so that checkpoints happen all the time
ENDS = {State.DONE, State.DUPLICATE, State.DEAD}
TRIES = 100  # while the disk is full
PEOPLE = 4  # who save at the same time, so that commits are shared


@dataclass
class Ledger:
    """What the store acknowledged. It lies outside the disk under test."""

    words: dict[str, str] = field(default_factory=dict)  # uid → the word that only this item holds
    keys: dict[str, str] = field(default_factory=dict)  # idempotency key → uid
    steps: set[tuple[str, int]] = field(default_factory=set)  # uid and code of a step that was finished
    ends: dict[str, State] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    perhaps_deleted: set[str] = field(default_factory=set)  # asked for, not answered
    lives: int = 0

    @property
    def said(self) -> int:
        return len(self.words) + len(self.steps) + len(self.deleted)


@contextlib.asynccontextmanager
async def opened(folder: Path, dice: Random, synchronous: str = "full") -> AsyncIterator[Store]:
    """The real store, without threads: the same dice make it do the same."""
    database = DatabaseSettings(synchronous=synchronous, pool_size=1, busy_timeout_ms=1)  # type: ignore[arg-type]
    async with open_store(
        database, QueueSettings(), RetrySettings(), folder=folder, clock=TestClock(), random=dice.randbytes, inline=True
    ) as store:
        yield store


@contextlib.contextmanager
def checkpointed_early() -> Iterator[list[apsw.Connection]]:
    """Every connection opened inside the block checkpoints after a few pages already; they are listed."""
    opened: list[apsw.Connection] = []

    def hook(conn: apsw.Connection) -> None:
        opened.append(conn)

    apsw.connection_hooks.append(hook)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "CHECKPOINT_PAGES", CHECKPOINT_PAGES)
            yield opened
    finally:
        apsw.connection_hooks.remove(hook)


async def work(
    store: Store, ledger: Ledger, dice: Random, connections: Sequence[apsw.Connection], *, saves: int = 6
) -> None:
    """One life of a store: people save, a worker works, somebody deletes, the WALs of `connections` are cut back."""
    ledger.lives += 1
    boot = f"boot-{ledger.lives}"
    await store.queue.reclaim(boot=boot)
    saving = [saves] * PEOPLE
    async with trio.open_nursery() as nursery:
        for person in range(PEOPLE):
            nursery.start_soon(_save, store, ledger, Random(dice.random()), person, saving)
        nursery.start_soon(_work_off, store, ledger, dice, boot, saving)
        nursery.start_soon(_look_after, store, ledger, Random(dice.random()), saving, connections)


async def _save(store: Store, ledger: Ledger, dice: Random, person: int, saving: list[int]) -> None:
    while saving[person]:
        name = f"x{ledger.lives}x{person}x{saving[person]}"
        saving[person] -= 1
        submission = Submission(url=(url := f"https://example.org/{name}"), url_key=canonicalise(url), tags=("a",))
        if dice.random() < 0.3:
            submission = Submission(kind=Kind.NOTE, text=f"{name} " * dice.randrange(1, 2000), title=name)
        key = Idempotency(key=name, request_hash="h") if dice.random() < 0.5 else None
        accepted = await until_room(partial(store.items.accept, submission, idempotency=key))
        ledger.words[accepted.uid] = name
        if key is not None:
            ledger.keys[name] = accepted.uid


async def _work_off(store: Store, ledger: Ledger, dice: Random, boot: str, saving: list[int]) -> None:
    while any(saving):
        await trio.lowlevel.checkpoint()
        claims = await until_room(partial(store.queue.claim, dict.fromkeys(EVERYTHING, 3), boot=boot))
        async with trio.open_nursery() as nursery:
            for claim in claims:
                nursery.start_soon(_take, store, ledger, dice, claim, boot)


async def _take(store: Store, ledger: Ledger, dice: Random, claim: Claim, boot: str) -> None:
    """One claim through some of its stages, then given back, retried, buried or done."""
    at: Claim | None = claim
    with contextlib.suppress(errors.LeaseLost):  # deleted meanwhile
        while at is not None:
            if dice.random() < 0.15:
                outcome: Outcome = Retry(reason=Reason(code="later"), after=0.0)
            elif dice.random() < 0.05:
                outcome = Bury(reason=Reason(code="hopeless"))
            elif dice.random() < 0.1:
                await until_room(partial(store.queue.release, [at.lease_token]))
                return
            else:
                outcome = advance(at, "" if claim.item is None else (claim.item.given_title or claim.item.url or ""))
            at = (await finished(store, ledger, at, outcome, boot)).next


async def finished(store: Store, ledger: Ledger, claim: Claim, outcome: Outcome, boot: str) -> Finished:
    """Finish a step and put it in the ledger, once it is answered."""
    at = hundred(claim.stage)
    passed = isinstance(outcome, Advance)
    steps = [StepEntry(code=CODES[at], at=1)] if passed else []
    finish = partial(store.queue.finish, claim, outcome, steps=steps, following=NEXT[at], boot=boot)
    result = await until_room(finish)
    if passed:
        ledger.steps.add((claim.subject, CODES[at]))
    if result.state in ENDS:
        ledger.ends[claim.subject] = result.state
    return result


def advance(claim: Claim, name: str) -> Advance:
    """What each stage asks to be stored; the word of an item ends its URL or is its title."""
    word = name.rpartition("/")[2]
    effects: tuple[Effect, ...] = ()
    match hundred(claim.stage):
        case 100:
            effects = (
                KeepCapture(
                    content=f"<p>{word}</p>".encode() * (1 + sum(word.encode()) % 1500),
                    url=name,
                    final_url=name,
                    final_key=canonicalise(name),
                    status=200,
                    media_type="text/html",
                    charset=None,
                    captured_at=1,
                ),
            )
        case 300:
            text = f"{word} " * 40
            effects = (KeepDocument(document=Extracted(text=text, markdown=text, html=text, method="test")),)
        case 500:
            effects = (ClaimContent(text_hash=word, content_hash=word), Index())
    return Advance(effects=effects)


async def _look_after(
    store: Store, ledger: Ledger, dice: Random, saving: list[int], connections: Sequence[apsw.Connection]
) -> None:
    while any(saving):
        await trio.lowlevel.checkpoint()
        chance = dice.random()
        if chance < 0.1 and ledger.words:
            uid = dice.choice(list(ledger.words))
            ledger.perhaps_deleted.add(uid)
            with contextlib.suppress(errors.NotFound):
                await until_room(partial(store.items.delete, uid))
                ledger.deleted.add(uid)
        elif chance < 0.2:
            _cut_back(connections, dice)
        elif chance < 0.25:
            await until_room(store.status.sweep)


async def until_room(call: Callable[[], Awaitable[T]]) -> T:
    """Ask again for as long as the disk is full, as callers do."""
    for _ in range(TRIES):
        try:
            return await call()
        except errors.StoreFull:
            await trio.lowlevel.checkpoint()
    return await call()


def _cut_back(connections: Sequence[apsw.Connection], dice: Random) -> None:
    mode = dice.choice(
        [apsw.SQLITE_CHECKPOINT_PASSIVE, apsw.SQLITE_CHECKPOINT_RESTART, apsw.SQLITE_CHECKPOINT_TRUNCATE]
    )
    for conn in connections:
        if not conn.readonly("main"):
            with contextlib.suppress(errors.StoreBusy, errors.StoreFull), mapped("checkpoint"):
                conn.wal_checkpoint(mode=mode)


# Afterwards


async def held_to(store: Store, ledger: Ledger) -> list[str]:
    """What is wrong with the store, in words: damage, and what it said that is not there. Empty: nothing."""
    # On the writer: FTS5 looks through what a reader remembers of the index, and calls a merge since then damage.
    wrong = await store.queue._db.write(_damage)
    wrong += await _broken_promises(store, ledger)
    wrong += [f"the body {digest} is missing" for digest in await _missing_bodies(store)]
    drift = await store.queue._db.write(counts.recount)
    return wrong if drift == 0 else [*wrong, f"{drift} counts are off"]


def _damage(conn: apsw.Connection) -> list[str]:
    wrong = [str(row) for row in conn.execute("PRAGMA integrity_check") if row != ("ok",)]
    wrong += [f"foreign key: {row}" for row in conn.execute("PRAGMA foreign_key_check")]
    own = ", ".join(map(str, CODES.values()))
    twice = f"SELECT item_id, code FROM steps WHERE code IN ({own}) GROUP BY item_id, code HAVING count(*) > 1"
    wrong += [f"step twice: {row}" for row in conn.execute(twice)]
    wrong += [
        f"indexed or not against its state: {row}"
        for row in conn.execute(
            """SELECT id, 'not indexed' FROM items WHERE state = 'done' AND deleted_at IS NULL
                   AND id NOT IN (SELECT rowid FROM search)
               UNION ALL SELECT rowid, 'no such item' FROM search
                   WHERE rowid NOT IN (SELECT id FROM items WHERE state = 'done' AND deleted_at IS NULL)"""
        )
    ]
    wrong += [
        f"in flight without work, or work without: {row}"
        for row in conn.execute(
            """SELECT i.id, i.state FROM items i LEFT JOIN work w ON w.item_id = i.id
               WHERE (i.deleted_at IS NULL AND i.state IN ('deferred', 'ready', 'leased', 'waiting'))
                   <> (w.id IS NOT NULL) OR w.state <> i.state"""
        )
    ]
    return wrong


async def _broken_promises(store: Store, ledger: Ledger) -> list[str]:
    found = await store.queue._db.read(
        lambda conn: {
            uid: (state, gone) for uid, state, gone in conn.execute("SELECT uid, state, deleted_at FROM items")
        }
    )
    steps = await store.queue._db.read(
        lambda conn: set(conn.execute("SELECT uid, code FROM steps JOIN items ON items.id = item_id"))
    )
    keys = await store.queue._db.read(
        lambda conn: dict(conn.execute("SELECT key, uid FROM idempotency JOIN items ON items.id = item_id"))
    )
    wrong = [f"{uid} was accepted and is not there" for uid in ledger.words.keys() - found.keys()]
    wrong += [f"step {step} was finished and is not there" for step in ledger.steps - steps]
    wrong += [f"the key {key} is forgotten" for key in ledger.keys if keys.get(key) != ledger.keys[key]]
    wrong += [f"{uid} ended as {end}" for uid, end in ledger.ends.items() if uid in found and found[uid][0] != end]
    for uid, (_state, gone) in found.items():
        if (uid in ledger.deleted and gone is None) or (gone is not None and uid not in ledger.perhaps_deleted):
            wrong.append(f"{uid}: deleted at {gone}")
    return wrong


async def _missing_bodies(store: Store) -> list[str]:
    wanted = await store.queue._db.read(lambda conn: [str(d) for (d,) in conn.execute("SELECT body FROM captures")])
    missing = []
    for digest in wanted:
        try:
            await store.bodies.get(digest)
        except errors.StoreUnreadable:
            missing.append(digest)
    return missing


async def index_is_whole(store: Store) -> None:
    """Raises when the full-text index does not agree with itself."""
    await store.queue._db.write(lambda conn: conn.execute("INSERT INTO search (search) VALUES ('integrity-check')").get)


async def ends_well(store: Store, ledger: Ledger) -> Counter[str]:
    """Let everything that is left run to its end; how many items are in which state then."""
    await store.queue.reclaim(boot="the last")
    while claims := await store.queue.claim(EVERYTHING, boot="the last"):
        for claim in claims:
            at: Claim | None = claim
            while at is not None:
                assert at.item is not None
                outcome = advance(at, at.item.given_title or at.item.url or "")
                at = (await finished(store, ledger, at, outcome, "the last")).next
    states = await store.queue._db.read(
        lambda conn: [str(state) for (state,) in conn.execute("SELECT state FROM items WHERE deleted_at IS NULL")]
    )
    return Counter(states)
