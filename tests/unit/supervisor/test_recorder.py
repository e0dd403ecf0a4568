"""The recorder on a real store: what was seen goes where it is kept or sent, or is counted; nothing waits for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
import structlog.testing
import trio
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from observability import setup, spans, trace
from observability.log import get_logger
from observability.names import Attribute, Event, Span
from observability.settings import MetricsSettings, TraceSettings
from observability.setup import Observed, observe
from observability.unexpected import Ledger, Unexpected
from pipeline.errors import StoreUnreadable
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from supervisor import recorder as module
from supervisor.recorder import EVERY_SECONDS, FLUSH_SECONDS, SENT_AT_ONCE, TOLD_EVERY, Recorder
from tests.store.hands import TestClock

KEEP = 100
ITEM = "01JBEM7Y8Z0000000000000000"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Without threads, so that the clock may jump; it waits for no lock."""
    impatient = DatabaseSettings(busy_timeout_ms=1)
    async with open_store(
        impatient, QueueSettings(), RetrySettings(), folder=tmp_path, clock=TestClock(), inline=True
    ) as opened:
        yield opened


@pytest.fixture
def observed() -> Iterator[Observed]:
    """An api that keeps spans and hands them on."""
    traces = TraceSettings(otlp_endpoint="http://127.0.0.1:9/v1/traces")
    made = observe("api", traces=traces, figures=MetricsSettings(), version="test", has_network=False)
    yield made
    made.shutdown()


class Socket:
    """The way to the worker: takes batches, or does not."""

    def __init__(self) -> None:
        self.works = True
        self.sent: list[list[object]] = []
        self.asked = 0

    async def send(self, batch: bytes) -> bool:
        self.asked += 1
        if self.works:
            self.sent.append([each.attributes["atlas.bytes"] for each in spans.decode(batch)])
        return self.works


@pytest.fixture
def recorder(store: Store, observed: Observed) -> Recorder:
    return made(store, observed)


def made(
    store: Store, observed: Observed, *, send: module.Send | None = None, mishaps: Ledger | None = None
) -> Recorder:
    ledger = mishaps or Ledger(lambda: 1000)
    return Recorder("api", observed, ledger, store, keep=KEEP, log=get_logger(), send=send)


def spent(count: int, *, begin: int = 0) -> None:
    """So many spans of one item."""
    for number in range(begin, begin + count):
        with trace.span(Span.COMMIT, {Attribute.ITEM: ITEM, Attribute.BYTES: number}):
            pass


def goes_wrong(mishaps: Ledger, words: str = "on purpose") -> str:
    try:
        raise ValueError(words)
    except ValueError as error:
        return mishaps.note(error, place="test")


def dropped(observed: Observed) -> dict[str, float]:
    families = {family.name: family for family in text_string_to_metric_families(observed.scrape() or "")}
    if "atlas_spans_dropped" not in families:
        return {}
    return {each.labels["where"]: each.value for each in families["atlas_spans_dropped"].samples}


def lag(observed: Observed) -> dict[str, float]:
    families = {family.name: family for family in text_string_to_metric_families(observed.scrape() or "")}
    found = families["atlas_loop_lag_seconds"].samples
    return {each.labels.get("le", each.name.rpartition("_")[2]): each.value for each in found}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Somebody else holds the write lock."""
    other = apsw.Connection(str(folder / "atlas.db"))
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def fill_up(store: Store, pages: int) -> None:
    await store.traces._db.write(lambda conn: conn.pragma("max_page_count", pages))


# Keeping


async def test_after_a_round_what_was_seen_is_on_the_disk(store: Store, observed: Observed) -> None:
    mishaps = Ledger(lambda: 1000)
    spent(3)
    error_id = goes_wrong(mishaps)
    await made(store, observed, mishaps=mishaps).round()
    assert len(await store.traces.of_item(ITEM)) == 3
    found = await store.mishaps.get(error_id)
    assert (found.role, found.place, found.count) == ("api", "test", 1)
    assert observed.take_kept() == []
    assert dropped(observed) == {}


async def test_what_a_busy_store_does_not_take_of_spans_is_dropped_and_counted_and_faults_are_kept_for_later(
    store: Store, observed: Observed, tmp_path: Path
) -> None:
    mishaps = Ledger(lambda: 1000)
    recorder = made(store, observed, mishaps=mishaps)
    spent(3)
    error_id = goes_wrong(mishaps)
    with locked(tmp_path):
        await recorder.round()
        assert dropped(observed) == {"kept": 3}
        goes_wrong(mishaps)
        await recorder.round()
    assert await store.traces.of_item(ITEM) == ()
    assert await store.mishaps.list() == ()
    goes_wrong(mishaps)
    spent(1)
    await recorder.round()
    assert (await store.mishaps.get(error_id)).count == 3
    assert len(await store.traces.of_item(ITEM)) == 1
    assert dropped(observed) == {"kept": 3}


async def test_a_full_store_takes_nothing_and_loses_no_fault(store: Store, observed: Observed) -> None:
    mishaps = Ledger(lambda: 1000)
    recorder = made(store, observed, mishaps=mishaps)
    await fill_up(store, 1)  # no more than there are
    while not dropped(observed):  # until the last free page is used
        spent(100)
        await recorder.round()
    error_id = goes_wrong(mishaps, "a long story " * 5000)  # which needs pages of its own
    await recorder.round()
    assert await store.mishaps.list() == ()
    await fill_up(store, 1_000_000)
    await recorder.round()
    assert (await store.mishaps.get(error_id)).count == 1


async def test_of_all_rows_of_spans_the_newest_are_kept(store: Store, observed: Observed, recorder: Recorder) -> None:
    for number in range(KEEP + 5):
        spent(1, begin=number)
        await recorder.round()
    kept = await store.traces.of_item(ITEM)
    assert [each.attributes["atlas.bytes"] for each in kept] == list(range(5, KEEP + 5))


# Handing on


async def test_spans_are_handed_on_in_order_and_in_batches(store: Store, observed: Observed) -> None:
    socket = Socket()
    spent(SENT_AT_ONCE + 1)
    await made(store, observed, send=socket.send).round()
    assert socket.sent == [list(range(SENT_AT_ONCE)), [SENT_AT_ONCE]]


async def test_while_the_worker_is_away_spans_wait_in_order_within_their_bound_and_it_is_asked_once_a_round(
    store: Store, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "SENT_MOST", 6)
    monkeypatch.setattr(module, "SENT_AT_ONCE", 4)
    socket = Socket()
    recorder = made(store, observed, send=socket.send)
    socket.works = False
    for number in range(5):
        spent(2, begin=2 * number)
        await recorder.round()
    assert socket.asked == 5
    assert dropped(observed) == {"worker": 4}
    assert observed.dropped == 4
    socket.works = True
    await recorder.round()
    assert socket.sent == [[0, 1, 2, 3], [4, 5]]
    await recorder.round()
    assert len(socket.sent) == 2


async def test_a_worker_goes_away_between_two_batches_and_the_second_waits(
    store: Store, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SENT_AT_ONCE", 2)
    socket = Socket()

    async def once(batch: bytes) -> bool:
        taken = await socket.send(batch)
        socket.works = False
        return taken

    spent(5)
    recorder = made(store, observed, send=once)
    await recorder.round()
    socket.works = True
    await recorder.round()
    socket.works = True
    await recorder.round()
    assert socket.sent == [[0, 1], [2, 3], [4]]


async def test_a_role_with_a_way_of_its_own_hands_nothing_on(store: Store, observed: Observed) -> None:
    spent(2)
    await made(store, observed, send=None).round()
    assert len(observed.take_outgoing(10)) == 2


# Telling


async def test_that_spans_were_dropped_is_told_once_in_a_while_with_their_number(
    store: Store, observed: Observed, recorder: Recorder, tmp_path: Path
) -> None:
    with structlog.testing.capture_logs() as lines:
        with locked(tmp_path):
            for number in range(2):
                spent(5, begin=number)
                await recorder.round()
        for _ in range(3 * TOLD_EVERY):
            await recorder.round()
    assert [(each["event"], each["spans"]) for each in lines] == [(Event.TELEMETRY_DROPPED, 10)]


# Once a second


async def running(recorder: Recorder, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> None:
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder.run)
            await trio.sleep(EVERY_SECONDS / 2)
            meanwhile()


async def test_a_round_is_made_every_second_and_says_how_late_the_loop_was(
    store: Store, observed: Observed, autojump_clock: MockClock
) -> None:
    socket = Socket()
    recorder = made(store, observed, send=socket.send)
    await running(recorder, 10 * EVERY_SECONDS + 0.5, meanwhile=lambda: spent(1))
    assert socket.sent == [[0]]
    assert (lag(observed)["+Inf"], lag(observed)["0.001"]) == (10, 10)


async def test_a_loop_that_was_blocked_is_seen_and_no_rounds_are_made_up_for(
    store: Store, observed: Observed, autojump_clock: MockClock
) -> None:
    recorder = made(store, observed)
    await running(recorder, 8 * EVERY_SECONDS + 0.5, meanwhile=lambda: autojump_clock.jump(5.0))
    assert lag(observed)["+Inf"] - lag(observed)["1.0"] == 1  # one that was more than a second late
    assert lag(observed)["+Inf"] <= 5


async def test_the_last_round_is_made_while_everything_is_cancelled_and_has_its_time(
    store: Store, observed: Observed, autojump_clock: MockClock
) -> None:
    async def hangs(_batch: bytes) -> bool:
        await trio.sleep_forever()
        raise AssertionError

    mishaps = Ledger(lambda: 1000)
    recorder = made(store, observed, send=hangs, mishaps=mishaps)
    spent(2)
    error_id = goes_wrong(mishaps)
    begun = trio.current_time()
    with trio.CancelScope() as scope:
        scope.cancel()
        await recorder.last()
    assert trio.current_time() - begun == pytest.approx(FLUSH_SECONDS)
    assert len(await store.traces.of_item(ITEM)) == 2
    assert (await store.mishaps.get(error_id)).count == 1


async def test_a_fault_that_waited_for_the_store_when_the_role_was_cancelled_is_kept_by_the_last_round(
    store: Store, observed: Observed, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = store.mishaps.keep

    async def waits(met: tuple[Unexpected, ...], **more: Any) -> None:
        if met:
            monkeypatch.setattr(store.mishaps, "keep", keep)
            await trio.sleep_forever()

    mishaps = Ledger(lambda: 1000)
    recorder = made(store, observed, mishaps=mishaps)
    monkeypatch.setattr(store.mishaps, "keep", waits)
    error_id = goes_wrong(mishaps)
    await running(recorder, 3 * EVERY_SECONDS)
    await recorder.last()
    assert (await store.mishaps.get(error_id)).count == 1


async def test_faults_that_cannot_be_kept_keep_no_span_from_the_timeline_or_the_collector(
    store: Store, observed: Observed, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def damaged(_met: object, **_more: object) -> None:
        raise StoreUnreadable("the table of errors is damaged")

    sent: list[bytes] = []

    async def take(batch: bytes) -> bool:
        sent.append(batch)
        return True

    monkeypatch.setattr(store.mishaps, "keep", damaged)
    mishaps = Ledger(lambda: 1000)
    recorder = made(store, observed, send=take, mishaps=mishaps)
    goes_wrong(mishaps)
    spent(2)
    await recorder.round()
    assert len(await store.traces.of_item(ITEM)) == 2
    assert len(sent) == 1
    assert len(mishaps.take()) == 1, "it is remembered for better times"
