"""The probes: what a monitor sees."""

from __future__ import annotations

from pipeline.store.status import RoleReport
from tests.gateway.site import Site


def test_health_is_degraded_without_a_worker_and_ok_with_one_that_reports(gateway):
    async def story(site: Site) -> None:
        health = await site.raw("GET", "/health")
        assert health.status_code == 200
        assert (await health.get_json())["status"] == "degraded"
        now = site.clock.wall_ms()
        await site.store.status.report(RoleReport(role="worker", boot="b", pid=1, started_at=now, seen_at=now))
        assert (await (await site.raw("GET", "/health")).get_json()) == {
            "status": "ok",
            "database": "ok",
            "processor": "up",
            "archive": "ok",
            "disk": "ok",
            "queue": {"state": "ok", "size": 0, "max_size": 1000, "backlog": 0, "max_backlog": 100_000},
            "breakers_open": {"hosts": 0, "providers": []},
            "providers_off": [],
            "last_sweep": None,
            "components": {
                name: {"state": "ok", "reason": "", "age_seconds": 0.0 if name == "worker" else None}
                for name in (
                    "database",
                    "disk",
                    "wal",
                    "archive",
                    "queue",
                    "worker",
                    "actors",
                    "scheduler",
                    "conservation",
                    "backup",
                    "errors",
                )
            },
            "timestamp": "2026-09-21T14:13:20.000Z",
            "version": "test",
        }
        site.clock.pass_seconds(31)
        assert (await (await site.raw("GET", "/health")).get_json())["processor"] == "down"

    gateway(story)


def test_ready_shows_the_queue_and_livez_says_that_the_process_answers(gateway):
    async def story(site: Site) -> None:
        await site.save(url="https://example.com/1")
        ready = await site.raw("GET", "/ready")
        assert ready.status_code == 200
        assert await ready.get_json() == {
            "ready": True,
            "queue_size": 1,
            "max_queue_size": 1000,
            "database": "ok",
            "disk": "ok",
        }
        assert await (await site.raw("GET", "/livez")).get_data() == b"ok\n"

    gateway(story)
