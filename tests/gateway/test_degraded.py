"""The gateway while a part is away: what still works does, what does not says so, and /health names it."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import apsw
import pytest

from pipeline.breaker import Breaker, BreakerState
from pipeline.errors import StoreUnreadable
from pipeline.settings import QueueSettings
from pipeline.store.damage import Damage, mark
from pipeline.store.disk import Space
from pipeline.store.status import PAUSED, ActorReport, RoleReport
from tests.gateway.site import Site

ITEMS = "/api/v1/items"


async def health(site: Site) -> tuple[int, dict[str, Any], list[str]]:
    """The status code, the report, and the parts that it names as failing."""
    answer = await site.raw("GET", "/health")
    report = await answer.get_json()
    return (
        answer.status_code,
        report,
        [name for name, each in report["components"].items() if each["state"] == "failing"],
    )


async def worker_reports(site: Site, *actors: ActorReport) -> None:
    now = site.clock.wall_ms()
    report = RoleReport(role="worker", boot="b", pid=1, started_at=now, seen_at=now, actors=actors)
    await site.store.status.report(report)


async def still_reads(site: Site, uid: str) -> None:
    for path in (f"{ITEMS}/{uid}", ITEMS, "/api/v1/search?q=text", f"{ITEMS}/{uid}/content"):
        assert (await site.api("GET", path)).status_code == 200, path
    assert "A title" in await site.text(f"/items/{uid}")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The disk of the data folder; a test sets how much of its 100 GB is free."""
    found = {"free": 50 * 10**9}
    monkeypatch.setattr("pipeline.store.handle.space_of", lambda _folder: Space(total=10**11, free=found["free"]))
    return found


def test_on_a_nearly_full_disk_saves_are_507_with_a_hint_and_reading_marking_and_deleting_go_on(gateway, disk):
    async def story(site: Site) -> None:
        await worker_reports(site)
        uid, other = await site.done(), await site.done("https://example.com/b", text="Other text")
        assert "The disk is nearly full" not in await site.text("/pipeline")
        disk["free"] = 10**9
        site.clock.pass_seconds(1)
        refused = await site.api("POST", ITEMS, json={"url": "https://example.com/new"})
        problem = await refused.get_json()
        assert (refused.status_code, problem["code"]) == (507, "store_full")
        assert int(refused.headers["Retry-After"]) > 0
        assert "free some space" in problem["hint"]
        assert "The disk is nearly full" in await site.text("/pipeline")
        await still_reads(site, uid)
        assert (await site.api("PATCH", f"{ITEMS}/{uid}", json={"read": True})).status_code == 200
        assert (await site.api("DELETE", f"{ITEMS}/{other}")).status_code == 204
        ready = await site.raw("GET", "/ready")
        assert (ready.status_code, (await ready.get_json())["disk"]) == (503, "low")
        status, report, parts = await health(site)
        assert (status, report["status"], report["disk"], parts) == (503, "down", "low", ["disk"])
        disk["free"] = 10**10
        site.clock.pass_seconds(1)
        assert (await site.api("POST", ITEMS, json={"url": "https://example.com/new"})).status_code == 202
        assert (await site.raw("GET", "/ready")).status_code == 200
        assert (await health(site))[0] == 200

    gateway(story)


def test_while_another_process_holds_the_database_reading_goes_on_and_health_does_not_wait_it_out(gateway):
    async def story(site: Site) -> None:
        await worker_reports(site)
        uid = await site.done()
        await site.session()
        with contextlib.closing(apsw.Connection(str(site.folder / "atlas.db"))) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            status, report, parts = await health(site)
            assert time.monotonic() - begun < 4
            assert (status, report["database"], parts) == (503, "busy", ["database"])
            assert report["processor"] == "up"
            await still_reads(site, uid)
            other.execute("ROLLBACK")
        assert (await site.api("POST", ITEMS, json={"url": "https://example.com/new"})).status_code == 202
        assert (await health(site))[0] == 200

    gateway(story)


def test_without_its_archive_notes_are_refused_and_all_else_that_needs_no_body_works(gateway):
    async def story(site: Site) -> None:
        await worker_reports(site)
        uid = await site.done()
        site.store.bodies._archive.fault = StoreUnreadable("archive.db is damaged", hint="restore it from a backup")
        await still_reads(site, uid)
        assert (await site.api("POST", ITEMS, json={"url": "https://example.com/new"})).status_code == 202
        refused = await site.api("POST", ITEMS, json={"text": "a note"})
        problem = await refused.get_json()
        assert (refused.status_code, problem["code"]) == (503, "archive_unavailable")
        assert problem["hint"] == "restore it from a backup"
        assert int(refused.headers["Retry-After"]) > 0
        status, report, parts = await health(site)
        assert (status, report["status"], report["archive"], parts) == (200, "degraded", "unavailable", ["archive"])
        assert (await site.raw("GET", "/ready")).status_code == 200

    gateway(story)


def test_an_archive_that_only_the_worker_cannot_use_is_seen_in_health_too(gateway):
    async def story(site: Site) -> None:
        await worker_reports(site, ActorReport(name="acquire", state=PAUSED, last_error="the archive is damaged"))
        status, report, parts = await health(site)
        assert (status, report["archive"], parts) == (200, "unavailable", ["archive"])

    gateway(story)


def test_without_a_worker_or_a_scheduler_saves_are_accepted_and_health_names_who_is_away(gateway):
    async def story(site: Site) -> None:
        await worker_reports(site)
        await site.store.status.sweep()
        assert (await health(site))[1]["last_sweep"] == "2026-09-21T14:13:20.000Z"
        site.clock.pass_seconds(1000)
        assert (await site.api("POST", ITEMS, json={"url": "https://example.com/new"})).status_code == 202
        status, report, parts = await health(site)
        assert (status, report["status"], parts) == (200, "degraded", ["worker", "scheduler"])

    gateway(story)


def test_health_names_providers_that_are_left_alone_and_of_hosts_only_how_many(gateway):
    async def story(site: Site) -> None:
        for name in ("host:secret.example", "provider:wayback"):
            breaker = Breaker(name=name, state=BreakerState.OPEN, failures=5, opens=1, opened_at=1, probe_at=2)
            await site.store.breakers.save(breaker)
        answer = await site.raw("GET", "/health")
        assert (await answer.get_json())["breakers_open"] == {"hosts": 1, "providers": ["wayback"]}
        assert b"secret" not in await answer.get_data()

    gateway(story)


def test_a_full_queue_is_still_healthy_and_a_full_backlog_is_not(gateway):
    async def story(site: Site) -> None:
        await worker_reports(site)
        await site.save(url="https://example.com/1")
        assert (await health(site))[1]["queue"]["state"] == "full"
        assert (await health(site))[0] == 200
        assert (await site.raw("GET", "/ready")).status_code == 503
        await site.save(url="https://example.com/2")
        status, report, parts = await health(site)
        assert (status, report["queue"]["state"], parts) == (503, "backlog_full", ["queue"])

    gateway(story, queue=QueueSettings(max_size=1, max_backlog=2))


def test_a_scheduler_that_has_never_run_is_missed_when_a_role_is_up_for_15_minutes(gateway):
    async def story(site: Site) -> None:
        await worker_reports(site)
        assert (await health(site))[2] == []
        began = site.clock.wall_ms()
        site.clock.pass_seconds(1000)
        now = site.clock.wall_ms()
        await site.store.status.report(RoleReport(role="worker", boot="b", pid=1, started_at=began, seen_at=now))
        assert (await health(site))[2] == ["scheduler"]

    gateway(story)


def test_in_safe_mode_saves_are_refused_at_once_reading_goes_on_and_strangers_learn_no_particulars(gateway):
    async def story(site: Site) -> None:
        await worker_reports(site)
        uid = await site.done()
        await site.session()
        mark(site.folder, Damage(at=1, where="read", file="atlas.db", said="Page 9 of secrets is torn"))
        for method, path, more in (
            ("POST", ITEMS, {"json": {"url": "https://example.com/new"}}),
            ("POST", ITEMS, {"json": {"text": "a note"}}),
            ("PATCH", f"{ITEMS}/{uid}", {"json": {"read": True}}),
            ("DELETE", f"{ITEMS}/{uid}", {}),
        ):
            refused = await site.api(method, path, **more)
            problem = await refused.get_json()
            assert (refused.status_code, problem["code"]) == (503, "store_damaged")
            assert "atlas restore ID" in problem["hint"]
        await still_reads(site, uid)
        assert "The database is damaged" in await site.text("/pipeline")
        answer = await site.raw("GET", "/health")
        report = await answer.get_json()
        assert (answer.status_code, report["status"], report["database"]) == (503, "down", "down")
        assert report["components"]["database"]["reason"].startswith("The database is damaged")
        assert b"secrets" not in await answer.get_data()
        ready = await site.raw("GET", "/ready")
        assert (ready.status_code, (await ready.get_json())["database"]) == (503, "down")
        assert site.deps.mishaps.take() == ()

    gateway(story)


def test_a_damaged_database_is_told_with_what_to_do_and_is_no_fault_of_atlas(gateway, monkeypatch):
    async def story(site: Site) -> None:
        async def damaged(_wanted: object) -> None:
            raise StoreUnreadable("read: the database is damaged", hint="restore the last verified backup")

        token = await site.token()
        monkeypatch.setattr(site.store.items, "list", damaged)
        answer = await site.raw("GET", ITEMS, headers={"Authorization": f"Bearer {token}"})
        problem = await answer.get_json()
        assert (answer.status_code, problem["code"]) == (503, "store_unreadable")
        assert problem["hint"] == "restore the last verified backup"
        assert site.deps.mishaps.take() == ()

    gateway(story)
