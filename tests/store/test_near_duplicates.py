"""Almost the same texts stand beside each other, both ways; they are merged only when they name each other."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest

from pipeline.effects import ClaimContent, Index, NameKey, Resemble
from pipeline.lifecycle import State
from pipeline.store import alike
from pipeline.store.handle import Store
from pipeline.store.migrate import migrate, migrations
from pipeline.text.sketch import BANDS, PERMUTATIONS, bands, sketch_of
from pipeline.text.urls import canonicalise
from pipeline.work import Advance
from tests.store.hands import captured, claim_all, enriched, extracted, finish, page

WHOLE = tuple(random.Random(7).choices(range(2**32), k=PERMUTATIONS))


def sketch(likeness: float = 1.0, seed: int = 0, of: tuple[int, ...] = WHOLE) -> bytes:
    """A sketch that agrees with `of` in this share of its numbers."""
    others = random.Random(seed)
    same = set(others.sample(range(PERMUTATIONS), round(likeness * PERMUTATIONS)))
    return sketch_of(2, [number if at in same else others.getrandbits(32) for at, number in enumerate(of)])


async def keep(store: Store, url: str, made: bytes | None, *, named: str | None = None) -> str:
    """Save a page and take it through to its end; its uid."""
    uid = (await store.items.accept(page(url))).uid
    (claim,) = await claim_all(store)
    key = None if named is None else canonicalise(named)
    outcomes = [
        captured(claim),
        Advance(),
        Advance(effects=(*extracted(url).effects, NameKey(url_key=key))),
        enriched(),
        Advance(effects=(ClaimContent(text_hash=url, content_hash=url), Resemble(sketch=made), Index())),
    ]
    at = claim
    for outcome in outcomes:
        assert at is not None
        at = (await finish(store, at, outcome)).next
    return uid


async def beside(store: Store, uid: str) -> dict[str, float | None]:
    return {other.item.uid: other.likeness for other in await store.items.related(uid)}


async def ended(store: Store, uid: str) -> tuple[State, str | None]:
    item = await store.items.get(uid)
    return item.state, item.duplicate_of


async def again(store: Store, uid: str, made: bytes | None) -> None:
    """Send a kept item through its last stage again."""
    await store.status._db.write(
        lambda conn: (
            conn.execute(
                """INSERT INTO work (item_id, hundred, stage, state, priority, due_at)
               SELECT id, 500, 500, 'ready', 0, 0 FROM items WHERE uid = ?""",
                (uid,),
            ).get
        )
    )
    (claim,) = await claim_all(store)
    await finish(store, claim, Advance(effects=(Resemble(sketch=made), Index())))


async def test_almost_the_same_texts_are_kept_both_and_shown_beside_each_other(store: Store) -> None:
    first = await keep(store, "https://a.test/1", sketch())
    second = await keep(store, "https://b.test/2", sketch(0.75))
    assert [await ended(store, uid) for uid in (first, second)] == [(State.DONE, None)] * 2
    assert await beside(store, first) == {second: 0.75}
    assert await beside(store, second) == {first: 0.75}


async def test_texts_that_share_less_are_not(store: Store) -> None:
    first = await keep(store, "https://a.test/1", sketch())
    await keep(store, "https://b.test/2", sketch(alike.ALIKE - 0.05))
    await keep(store, "https://b.test/3", None)
    assert await beside(store, first) == {}


async def test_what_is_deleted_is_not_beside_anything(store: Store) -> None:
    first = await keep(store, "https://a.test/1", sketch())
    second = await keep(store, "https://b.test/2", sketch(0.9))
    await store.items.delete(first)
    assert await beside(store, second) == {}
    third = await keep(store, "https://c.test/3", sketch(0.95))
    assert await beside(store, third) == {second: pytest.approx(0.9, abs=0.1)}


async def test_an_item_links_to_the_ten_that_are_most_alike(store: Store) -> None:
    shares = [round(0.7 + number / 50, 2) for number in range(14)]
    others = [
        await keep(store, f"https://b.test/{share}", sketch(share, seed=number)) for number, share in enumerate(shares)
    ]
    uid = await keep(store, "https://a.test/1", sketch())
    found = await beside(store, uid)
    assert list(found) == others[:3:-1]
    assert len(found) == alike.LINKS_MOST


async def test_finishing_an_item_again_replaces_the_links_it_found(store: Store) -> None:
    stranger = tuple(random.Random(9).choices(range(2**32), k=PERMUTATIONS))
    old = await keep(store, "https://a.test/old", sketch())
    new = await keep(store, "https://a.test/new", sketch(of=stranger))
    uid = await keep(store, "https://b.test/x", sketch(0.9))
    assert set(await beside(store, uid)) == {old}
    await again(store, uid, sketch(0.9, of=stranger))
    assert set(await beside(store, uid)) == {new}
    await again(store, uid, None)
    assert await beside(store, uid) == {}
    count = await store.status._db.read(lambda conn: conn.execute("SELECT count(*) FROM bands").get)
    assert count == 2 * BANDS


# -- rel=canonical ----------------------------------------------------------------------------------------------------

MAIN, PRINT, OTHER = "https://a.test/article", "https://a.test/article?print=1", "https://a.test/other"


async def test_a_page_that_names_a_kept_one_and_says_the_same_is_its_duplicate(store: Store) -> None:
    main = await keep(store, MAIN, sketch())
    assert await ended(store, await keep(store, PRINT, sketch(0.95), named=MAIN)) == (State.DUPLICATE, main)


async def test_a_page_that_a_kept_one_names_and_that_says_the_same_is_its_duplicate(store: Store) -> None:
    variant = await keep(store, PRINT, sketch(), named=MAIN)
    assert await ended(store, await keep(store, MAIN, sketch(0.95))) == (State.DUPLICATE, variant)


async def test_two_pages_that_name_a_third_and_say_the_same_are_one(store: Store) -> None:
    first = await keep(store, PRINT, sketch(), named=MAIN)
    assert await ended(store, await keep(store, OTHER, sketch(0.95), named=MAIN)) == (State.DUPLICATE, first)


async def test_a_page_that_names_a_duplicate_is_one_of_its_original(store: Store) -> None:
    main = await keep(store, MAIN, sketch())
    await keep(store, PRINT, sketch(0.95), named=MAIN)
    assert await ended(store, await keep(store, OTHER, sketch(0.95), named=PRINT)) == (State.DUPLICATE, main)


@pytest.mark.parametrize("made", [sketch(0.8), sketch(0.0), None], ids=["edited", "another text", "too short to tell"])
async def test_articles_that_all_name_their_section_are_all_kept(store: Store, made: bytes | None) -> None:
    """A site that gives every article one canonical address must not cost a person their articles."""
    section = await keep(store, "https://a.test/news", sketch(0.0, seed=5))
    first = await keep(store, MAIN, sketch(), named="https://a.test/news")
    second = await keep(store, OTHER, made, named="https://a.test/news")
    assert {await ended(store, uid) for uid in (section, first, second)} == {(State.DONE, None)}


async def test_no_save_is_answered_by_what_another_page_says_of_itself(store: Store) -> None:
    await keep(store, MAIN, sketch(), named="https://a.test/news")
    assert (await store.items.accept(page("https://a.test/news"))).created


async def test_texts_that_are_nearly_one_but_name_nothing_are_both_kept(store: Store) -> None:
    await keep(store, MAIN, sketch())
    assert (await ended(store, await keep(store, OTHER, sketch(0.99))))[0] is State.DONE


async def test_an_item_that_was_done_is_no_duplicate_of_a_later_one_when_it_is_done_again(store: Store) -> None:
    first = await keep(store, PRINT, sketch(0.5, seed=3), named=MAIN)
    await keep(store, MAIN, sketch())
    await again(store, first, sketch())
    assert (await ended(store, first))[0] is State.DONE


# -- What it costs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def conn(tmp_path: Path) -> apsw.Connection:
    opened = apsw.Connection(str(tmp_path / "atlas.db"))
    migrate(opened, migrations("atlas"))
    return opened


def fill(conn: apsw.Connection, sketches: list[bytes]) -> None:
    """Items that are done, with these sketches, as keep_sketch writes them."""
    start = 1 + int(str(conn.execute("SELECT count(*) FROM items").get))
    with conn:
        for item_id, made in enumerate(sketches, start=start):
            conn.execute(
                """INSERT INTO items (id, uid, kind, stage, state, source, created_at, changed_at, raised_at)
                   VALUES (?, ?, 'note', 590, 'done', 'test', 0, 0, 0)""",
                (item_id, str(item_id)),
            )
            conn.execute("INSERT INTO sketches VALUES (?, ?)", (item_id, made))
            conn.executemany("INSERT INTO bands VALUES (?, ?)", [(band, item_id) for band in set(bands(made))])


def flood(count: int) -> list[bytes]:
    """Sketches that all share their first band, as pages with one notice on them might, and nothing else."""
    return [sketch_of(2, [*WHOLE[:4], *random.Random(seed).choices(range(2**32), k=124)]) for seed in range(count)]


def cost(conn: apsw.Connection, made: bytes) -> tuple[int, int]:
    """Statements run and hundreds of steps of SQLite's machine taken to find what is like it."""
    statements, steps = [], []
    conn.exec_trace = lambda _cursor, sql, _values: statements.append(sql) or True
    conn.set_progress_handler(lambda: bool(steps.append(1)), 100)
    alike.similar(conn, 10**9, made)
    conn.exec_trace = None
    conn.set_progress_handler(None)
    return len(statements), len(steps)


def test_an_item_costs_the_same_whatever_the_library_holds(conn: apsw.Connection) -> None:
    fill(conn, flood(200))
    before = cost(conn, sketch())
    fill(conn, flood(1800))
    after = cost(conn, sketch())
    assert after[0] == before[0] <= BANDS + alike.COMPARED
    assert after[1] <= before[1] + 1


def test_what_shares_every_band_is_looked_at_up_to_the_bound(conn: apsw.Connection) -> None:
    fill(conn, [sketch()] * 500)
    statements, _ = cost(conn, sketch())
    assert statements == BANDS + alike.PER_BAND  # the newest of each band, which are the same ones
    assert len(alike.similar(conn, 10**9, sketch())) == alike.LINKS_MOST


def test_a_band_that_everything_shares_hides_nothing_that_is_alike(conn: apsw.Connection) -> None:
    fill(conn, [sketch(0.8)])
    fill(conn, flood(300))
    assert [found for found, _ in alike.similar(conn, 10**9, sketch())] == [1]
