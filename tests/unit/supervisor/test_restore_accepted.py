"""`atlas restore`: what a client or a person was answered since the backup holds afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import apsw
import pytest

from pipeline.errors import IdempotencyMismatch
from pipeline.items import Accepted, Reason
from pipeline.lifecycle import State
from pipeline.store.handle import Store
from pipeline.store.intake import Idempotency
from pipeline.work import Bury
from tests.store.hands import claim_all, finish, page, run_through
from tests.unit.supervisor.kept import NOTE, Kept

URL = "https://example.org/fails"


def test_who_asks_again_with_its_key_is_answered_as_before(kept: Kept) -> None:
    async def ask(store: Store) -> Accepted:
        return await store.items.accept(NOTE, idempotency=Idempotency(key="k", request_hash="h"))

    first = kept.run(ask)
    kept.restore()
    again = kept.run(ask)
    assert (again.uid, again.created) == (first.uid, False)

    async def other(store: Store) -> None:
        await store.items.accept(NOTE, idempotency=Idempotency(key="k", request_hash="other"))

    with pytest.raises(IdempotencyMismatch):
        kept.run(other)


def test_a_key_that_is_torn_keeps_nothing_from_coming_back(kept: Kept) -> None:
    (new,) = kept.accept(NOTE)
    connection = apsw.Connection(str(kept.library.atlas))
    item = connection.execute("SELECT id FROM items WHERE uid = ?", (new,)).get
    connection.execute("DROP TABLE idempotency; CREATE TABLE idempotency (key, request_hash, item_id, created_at)")
    connection.execute("INSERT INTO idempotency VALUES (x'ff', 'h', ?, 'never')", (item,))
    connection.close()
    assert kept.restore()["brought_back"] == 1
    assert new in kept.items()


def test_what_had_failed_and_was_saved_again_is_tried_again(kept: Kept, atlas: Callable[..., Any]) -> None:
    (uid,) = kept.accept(page(URL))

    async def fails(store: Store) -> None:
        (claim,) = await claim_all(store)
        await finish(store, claim, Bury(reason=Reason(code="timeout")))

    async def works(store: Store) -> None:
        (claim,) = await claim_all(store)
        await run_through(store, claim, text="this time it came")

    kept.run(fails)
    backup = json.loads(atlas("backup", "--json").out)["backup"]["id"]
    assert kept.accept(page(URL)) == [uid]
    raised_at = kept.items()[uid].raised_at
    kept.run(works)
    done = kept.restore(backup)
    assert (done["marks"], done["brought_back"]) == (1, 1)
    found = kept.items()[uid]
    assert (found.state, found.raised_at) == (State.READY, raised_at)
    kept.run(works)
    assert kept.items()[uid].state is State.DONE
