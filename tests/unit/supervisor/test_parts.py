"""What feeds the watchdog, and what `systemctl status` is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from observability.names import Event
from pipeline.errors import StoreBusy, StoreUnreadable
from pipeline.settings import DatabaseSettings
from pipeline.store.counts import QueueDepth
from pipeline.store.handle import Store
from pipeline.store.status import RoleReport
from supervisor.notify import Notify
from supervisor.parts import WRITER_STALL_SECONDS, say, started, tell_status, writer_works
from supervisor.settings import Config


def busy(seconds: float) -> Store:
    return cast(Store, SimpleNamespace(status=SimpleNamespace(writer_busy_seconds=lambda: seconds)))


@pytest.mark.parametrize("lock_ms", [5000, 60_000])
def test_a_writer_that_waits_for_a_foreign_lock_works_and_one_that_takes_much_longer_does_not(lock_ms: int) -> None:
    config = Config(database=DatabaseSettings(busy_timeout_ms=lock_ms))
    assert writer_works(config, busy(0.0))
    assert writer_works(config, busy(lock_ms / 1000 + 1))
    assert not writer_works(config, busy(lock_ms / 1000 + WRITER_STALL_SECONDS))


def test_by_default_a_disk_that_hangs_for_15_seconds_starves_the_watchdog() -> None:
    assert writer_works(Config(), busy(14.9))
    assert not writer_works(Config(), busy(15.0))


SOUND = SimpleNamespace(damage=lambda: None)


class Heard(Notify):
    """Keeps what would be sent."""

    def __init__(self, address: str | None = "/nowhere") -> None:
        super().__init__(address)
        self.sent: list[dict[str, str]] = []

    def _send(self, fields: dict[str, str]) -> None:  # type: ignore[override]
        self.sent.append(fields)


async def test_the_status_is_the_queue_sent_when_it_changes() -> None:
    depths = [(3, 5), (3, 5), (0, 2)]

    async def depth() -> QueueDepth:
        queued, backlog = depths.pop(0)
        return QueueDepth(queue_size=queued, max_queue_size=9, backlog=backlog, max_backlog=9)

    store, notify = cast(Store, SimpleNamespace(queue=SimpleNamespace(depth=depth), status=SOUND)), Heard()
    for _ in range(3):
        await tell_status(notify, store)
    assert notify.sent == [
        {"STATUS": "3 queued or in work, 2 waiting for another time"},
        {"STATUS": "0 queued or in work, 2 waiting for another time"},
    ]


async def test_a_store_that_does_not_answer_costs_a_status_and_nothing_else() -> None:
    async def depth() -> QueueDepth:
        raise StoreBusy("another process writes")

    store, notify = cast(Store, SimpleNamespace(queue=SimpleNamespace(depth=depth), status=SOUND)), Heard()
    await tell_status(notify, store)
    await tell_status(Heard(None), cast(Store, None))  # without systemd nobody is asked
    assert notify.sent == []


async def test_what_a_role_says_of_itself_is_left_unsaid_when_the_store_takes_nothing() -> None:
    async def report(_report: object) -> None:
        raise StoreBusy("somebody else writes")

    await say(cast(Store, SimpleNamespace(status=SimpleNamespace(report=report))), cast(RoleReport, None))


def test_a_role_that_is_up_says_so_and_tells_of_an_archive_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Event] = []
    log = SimpleNamespace(info=lambda event, **_: told.append(event), error=lambda event, **_: told.append(event))
    monkeypatch.setattr("supervisor.parts.log.get_logger", lambda: log)
    notify, fault = Heard(), StoreUnreadable("archive.db is damaged", hint="restore it")
    for found in (None, fault):
        started(notify, "api", cast(Store, SimpleNamespace(status=SOUND, bodies=SimpleNamespace(fault=found))))
    assert [sent["READY"] for sent in notify.sent] == ["1", "1"]
    assert told == [Event.ROLE_STARTED, Event.ARCHIVE_AWAY, Event.ROLE_STARTED]
