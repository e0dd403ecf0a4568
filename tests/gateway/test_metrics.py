"""GET /metrics: who may look, what is told of both roles and of the store, and that looking costs the same for ever."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import apsw
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from observability.names import METRICS
from observability.setup import Observed
from pipeline import errors
from pipeline.breaker import Breaker, BreakerState
from pipeline.store.handle import Store
from tests.gateway.site import Site
from tests.gateway.watched import scraped, watched

HERE = {"client": ("127.0.0.1", 50_000)}
AWAY = {"client": ("203.0.113.9", 50_000)}
FORWARDING = (
    *(
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "Via",
        "X-Forwarded-Server",
    ),
    *(
        "X-Forwarded-Port",
        "X-Forwarded",
        "X-Client-IP",
        "CF-Connecting-IP",
        "True-Client-IP",
        "X-Original-Forwarded-For",
    ),
    *("Tailscale-User-Login", "Sec-Fetch-Site", "Origin"),
)
WORKER = (
    "# HELP atlas_fetches_total Fetches.\n# TYPE atlas_fetches_total counter\n"
    'atlas_fetches_total{result="2xx"} 9.0\n'
    "# HELP process_cpu_seconds_total Time.\n# TYPE process_cpu_seconds_total counter\n"
    'process_cpu_seconds_total{role="worker"} 7.0\n'
)
# Whatever grows with what is kept.
BIG = ("items", "keys", "steps", "captures", "documents", "kept_documents", "search", "spans", "outbox", "tags", "work")


@pytest.fixture
def observed() -> Iterator[Observed]:
    with watched() as made:
        yield made


async def look(site: Site) -> dict[str, Metric]:
    """The figures as Prometheus reads them; every family stands once, with help and type."""
    answer = await site.raw("GET", "/metrics", scope_base=HERE)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = (await answer.get_data()).decode()
    for line in ("HELP", "TYPE"):
        named = Counter(re.findall(rf"^# {line} (\S+) ", text, re.MULTILINE))
        assert set(named.values()) == {1}
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families) == len(named)
    return families


def figures(family: Metric) -> dict[tuple[str, ...], float]:
    """By the values of the labels, in the order of their names."""
    return {tuple(each.labels[name] for name in sorted(each.labels)): each.value for each in family.samples}


# Who may look


def test_a_program_on_this_machine_needs_no_token(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed)
        for peer in ("127.0.0.1", "127.0.0.99", "::1"):
            for host in ("localhost", "localhost:7444", "127.0.0.1:7444", "[::1]:7444", "LOCALHOST"):
                scope = {"client": (peer, 1)}
                answer = await site.raw("GET", "/metrics", headers={"Host": host}, scope_base=scope)
                assert answer.status_code == 200, (peer, host)

    gateway(story)


def test_what_came_through_a_proxy_does(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed)
        for name in FORWARDING:
            for said in ("127.0.0.1", "for=127.0.0.1;host=localhost", ""):
                answer = await site.raw("GET", "/metrics", headers={name: said}, scope_base=HERE)
                assert answer.status_code == 401, (name, said)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    gateway(story, trusted_proxies=("127.0.0.1",))


OTHERS: tuple[tuple[dict[str, str], dict[str, Any], int], ...] = (
    ({}, AWAY, 401),
    ({}, {"client": None}, 401),
    ({}, {"client": ("2001:db8::1", 1)}, 401),
    ({}, {"client": ("localhost", 1)}, 401),  # a name is no address
    ({"Host": "atlas.home"}, HERE, 401),
    ({"Host": "192.168.1.5:7444"}, HERE, 401),
    ({"Host": "evil.example"}, HERE, 421),
    ({"Host": ""}, HERE, 421),
    ({"Host": "localhost.evil.example"}, HERE, 421),
    ({"Authorization": "Bearer wrong"}, AWAY, 401),
)


def test_everybody_else_does(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed)
        for headers, scope, status in OTHERS:
            answer = await site.raw("GET", "/metrics", headers=headers, scope_base=scope)
            assert answer.status_code == status, (headers, scope)
            assert b"atlas_" not in await answer.get_data()

    gateway(story, host="0.0.0.0", allowed_hosts=("atlas.home",))


def test_with_a_token_that_reads_or_a_session_one_may_look_from_anywhere(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed)
        assert (await site.api("GET", "/metrics", scope="read", scope_base=AWAY)).status_code == 200
        assert (await site.browse("GET", "/metrics", scope_base=AWAY)).status_code == 200
        proxied = {"X-Forwarded-For": "127.0.0.1"}
        assert (await site.api("GET", "/metrics", scope="read", headers=proxied, scope_base=HERE)).status_code == 200

    gateway(story)


def test_looking_changes_nothing_else_about_what_is_open(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed)
        assert (await site.raw("GET", "/api/v1/items", scope_base=HERE)).status_code == 401
        assert (await site.raw("POST", "/metrics", scope_base=HERE)).status_code == 405

    gateway(story)


def test_figures_that_are_switched_off_are_not_there(gateway) -> None:
    async def story(site: Site) -> None:
        with watched(metrics=False) as observed:
            answer = await scraped(site, observed, WORKER).raw("GET", "/metrics", scope_base=HERE)
        assert answer.status_code == 404
        assert "[metrics] enabled" in (await answer.get_json())["detail"]

    gateway(story)


# What is told


def test_both_roles_are_told_in_one_text(gateway, observed) -> None:
    async def story(site: Site) -> None:
        found = await look(scraped(site, observed, WORKER))
        assert figures(found["atlas_worker_up"]) == {(): 1.0}
        assert figures(found["atlas_fetches"]) == {("2xx",): 9.0}
        cpu = figures(found["process_cpu_seconds"])
        assert set(cpu) == {("api",), ("worker",)}
        assert cpu["worker",] == 7.0

    gateway(story)


def test_a_worker_that_does_not_answer_is_told_and_the_rest_is_there_all_the_same(gateway, observed) -> None:
    async def story(site: Site) -> None:
        found = await look(scraped(site, observed, None))
        assert figures(found["atlas_worker_up"]) == {(): 0.0}
        assert "atlas_fetches" not in found
        assert set(figures(found["process_cpu_seconds"])) == {("api",)}
        assert figures(found["atlas_queue_limit"]) == {(): 1000.0}

    gateway(story)


def test_the_store_is_told_as_of_now(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed)
        await site.done()
        dead = await site.save(url="https://example.com/dead")
        await site.bury(dead, code="gone", hint="", detail="")
        await site.save(url="https://example.com/ready")
        now = site.clock.wall_ms()
        host = Breaker(name="host:example.com", state=BreakerState.OPEN, opened_at=now, probe_at=now + 60_000)
        await site.store.breakers.save(host)
        await site.store.status.sweep()
        site.clock.pass_seconds(90)
        found = await look(site)
        items = figures(found["atlas_items"])
        assert items == {("acquire", "ready"): 1, ("acquire", "dead"): 1, ("finalise", "done"): 1}
        ages = figures(found["atlas_oldest_item_age_seconds"])
        assert (ages["acquire",], ages["extract",]) == (90.0, 0.0)
        assert set(ages) == {(name,) for name in ("discover", "acquire", "validate", "extract", "enrich", "finalise")}
        alone = {name: figures(found[f"atlas_{name}"])[()] for name in ("dead_letters", "queue_depth", "backlog")}
        assert alone == {"dead_letters": 1, "queue_depth": 1, "backlog": 1}
        assert figures(found["atlas_scheduler_age_seconds"]) == {(): 90.0}
        assert figures(found["atlas_conservation_drift"]) == {(): 0.0}
        for name in ("backup", "backup_verified", "backup_drill"):  # none yet: since the first item
            assert figures(found[f"atlas_{name}_age_seconds"])[()] == pytest.approx(90.0)
        assert figures(found["atlas_breaker_state"])["host", "open"] == 1
        assert figures(found["atlas_database_bytes"])["atlas",] >= 4096
        assert figures(found["atlas_disk_free_bytes"]) == {(): 2.0**40}

    gateway(story)


def test_requests_are_told_by_pattern_and_never_by_what_was_asked_for(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed)
        for number in range(5):
            await site.api("GET", f"/api/v1/items/{number:026}")
            await site.raw("GET", f"/nothing/{number}")
            await site.raw(f"ODD{number}", "/livez")
            await site.raw("GET", "/livez", headers={"Host": f"h{number}.example"})
        told = figures((await look(site))["atlas_requests"])
        assert told == {
            ("/api/v1/items/<uid>", "GET", "404"): 5,
            ("none", "GET", "404"): 5,
            ("none", "other", "405"): 5,
            ("/livez", "GET", "421"): 5,
        }

    gateway(story)


def test_every_figure_is_of_the_catalogue_with_its_labels_its_kind_and_its_meaning(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed)
        await site.done()
        await site.store.status.sweep()
        await look(site)
        known = {metric.name.removesuffix("_total"): metric for metric in METRICS}
        found = {name: family for name, family in (await look(site)).items() if name.startswith("atlas_")}
        assert set(found) <= set(known)
        for name, family in found.items():
            metric = known[name]
            assert (family.type, family.documentation) == (metric.kind, metric.meaning), name
            labels = {frozenset(each.labels) - {"le"} for each in family.samples}
            assert labels == {frozenset(metric.labels) | ({"role"} if metric.process else set())}, name
        of_the_store = {name for name, each in known.items() if each.kind == "gauge" and not each.process}
        worker_only = {"atlas_mailbox_depth", "atlas_actor_busy", "atlas_actor_slots"}
        assert of_the_store - worker_only - set(found) == set()

    gateway(story)


def test_what_cannot_be_read_is_left_out_and_not_told_as_nothing(gateway, observed, monkeypatch) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed)
        await site.save(url="https://example.com/a")
        assert "atlas_items" in await look(site)

        async def fails() -> None:
            raise errors.StoreBusy("busy")

        monkeypatch.setattr(site.store.status, "figures", fails)
        found = await look(site)
        assert not found.get("atlas_items", Metric("x", "", "gauge")).samples
        assert not found.get("atlas_queue_depth", Metric("x", "", "gauge")).samples
        assert figures(found["atlas_worker_up"]) == {(): 0.0}
        assert found["atlas_disk_free_bytes"].samples

    gateway(story)


# What it costs


class Trace:
    """Every statement that the store runs, with its values and the steps of SQLite's machine that it took."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.steps = 0

    def asks(self, _cursor: apsw.Cursor, sql: str, values: Any) -> bool:
        self.asked.append((sql, values))
        return True

    def took(self, event: dict[str, Any]) -> None:
        self.steps += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    async def follow(self, store: Store) -> None:
        db = store.status._db

        def begin(conn: apsw.Connection) -> None:
            conn.exec_trace = self.asks
            conn.trace_v2(apsw.SQLITE_TRACE_PROFILE, self.took)

        for executor in (db.writer._executor, *db.readers._free):
            await executor.run(begin)


def scans(conn: apsw.Connection, sql: str, values: Any) -> list[str]:
    """The big tables that a statement goes through from one end to the other."""
    words = sql.upper().split()
    if words[0] in {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA"}:
        return []
    if words[-2:] == ["LIMIT", "1"] and "WHERE" not in words:
        return []  # it ends at the first row
    named = {table: table for table in BIG}
    named |= {alias: table for table, alias in re.findall(r"\b(?:FROM|JOIN)\s+(\w+)\s+(?:AS\s+)?(\w+)", sql)}
    plan = [str(row[3]) for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    found = [match[1] for each in plan if (match := re.match(r"SCAN (\w+)", each))]
    return [table for alias in found if (table := named.get(alias, alias)) in BIG]


PATHS = ("/metrics", "/health", "/ready", "/pipeline", "/errors")


def test_what_monitors_and_the_pipeline_page_ask_scans_no_table_that_grows(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed, WORKER)
        await site.done()
        await site.save(url="https://example.com/ready")
        await site.session()
        trace = Trace()
        await trace.follow(site.store)
        for path in PATHS:
            assert (await site.browse("GET", path)).status_code == 200
        asked = dict.fromkeys(sql for sql, _values in trace.asked)
        assert any("FROM counts" in sql for sql in asked)
        assert any("min(changed_at) FROM items" in sql for sql in asked)
        conn = apsw.Connection(str(site.folder / "atlas.db"), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            bad = {sql: found for sql, values in trace.asked if (found := scans(conn, sql, values))}
        finally:
            conn.close()
        assert bad == {}

    gateway(story)


def test_the_check_of_scans_sees_one() -> None:
    conn = apsw.Connection(":memory:")
    conn.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, state TEXT); CREATE TABLE counts (n INTEGER)")
    assert scans(conn, "SELECT count(*) FROM items", ()) == ["items"]
    assert scans(conn, "SELECT 1 FROM items i WHERE i.state = ? LIMIT 1", ("x",)) == ["items"]
    assert scans(conn, "SELECT 1 FROM items WHERE id = ?", (1,)) == []
    assert scans(conn, "SELECT id FROM items ORDER BY id LIMIT 1", ()) == []
    assert scans(conn, "SELECT n FROM counts", ()) == []
    conn.close()


def test_looking_takes_as_many_steps_whatever_is_kept(gateway, observed) -> None:
    async def story(site: Site) -> None:
        site = scraped(site, observed, WORKER)
        await site.session()

        async def fill(begin: int, end: int) -> None:
            for number in range(begin, end):
                await site.done(f"https://example.com/{number}", text=f"Text {number}")
                await site.save(url=f"https://example.com/ready/{number}")
                await site.claim(await site.save(url=f"https://example.com/leased/{number}"))

        async def steps() -> dict[str, int]:
            found = {}
            for path in PATHS:
                before = trace.steps
                assert (await site.browse("GET", path)).status_code == 200
                found[path] = trace.steps - before
            return found

        await fill(0, 2)
        trace = Trace()
        await trace.follow(site.store)
        await steps()  # the session's last use is written once a minute
        few = await steps()
        await fill(2, 12)
        await steps()
        many = await steps()
        assert all(few.values())
        assert {path: many[path] for path in PATHS if many[path] > few[path] + 20} == {}

    gateway(story)
