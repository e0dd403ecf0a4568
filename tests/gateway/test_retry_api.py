"""Doing again over HTTP: one, several, or all that a selection matches; and who is left alone."""

from __future__ import annotations

import pytest

from pipeline.breaker import Breaker, BreakerState
from pipeline.items import Reason
from pipeline.lifecycle import State
from pipeline.settings import QueueSettings
from pipeline.work import Retry
from tests.gateway.site import Site
from tests.store.hands import finish


async def dead(site: Site, url: str = "https://example.com/a", code: str = "timeout") -> str:
    uid = await site.save(url=url)
    await site.bury(uid, code=code, hint="Try again later.")
    return uid


def test_a_dead_letter_is_retried_by_its_id_with_202_and_the_worker_is_rung(gateway):
    async def story(site: Site) -> None:
        uid = await dead(site)
        rings = len(site.rings)
        answer = await site.api("POST", f"/api/v1/items/{uid.lower()}/retry", scope="write")
        assert (answer.status_code, await answer.get_json()) == (202, {"id": uid, "outcome": "requeued"})
        assert len(site.rings) == rings + 1
        again = await site.api("POST", f"/api/v1/items/{uid}/retry")
        assert (again.status_code, (await again.get_json())["outcome"]) == (200, "in_flight")
        assert len(site.rings) == rings + 1

    gateway(story)


def test_retrying_what_is_not_there_is_404(gateway):
    async def story(site: Site) -> None:
        uid = await dead(site)
        await site.store.items.delete(uid)
        for name in (uid, "0" * 26, "nonsense"):
            assert (await site.api("POST", f"/api/v1/items/{name}/retry")).status_code == 404

    gateway(story)


def test_a_note_is_retried_as_well(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(text="# A note")
        await site.bury(uid, code="no_text")
        assert (await site.api("POST", f"/api/v1/items/{uid}/retry")).status_code == 202
        assert (await site.store.items.get(uid)).state is State.READY

    gateway(story)


def test_several_are_retried_by_their_ids_and_what_is_left_is_named(gateway):
    async def story(site: Site) -> None:
        first, second = await dead(site), await dead(site, "https://example.com/b")
        flying = await site.save(url="https://example.com/c")
        answer = await site.api("POST", "/api/v1/retry", json={"ids": [first.lower(), second, flying]})
        assert answer.status_code == 202
        told = await answer.get_json()
        assert (told["requeued"], told["untouched"]) == (2, {"in_flight": 1})
        assert told["left"] == [{"id": flying, "outcome": "in_flight"}]

    gateway(story)


def test_all_that_match_are_retried_and_the_rest_stays_dead(gateway):
    async def story(site: Site) -> None:
        await dead(site, "https://a.example/1")
        other = await dead(site, "https://b.example/1")
        answer = await site.api("POST", "/api/v1/retry", json={"where": "error:timeout site:a.example"})
        assert (answer.status_code, (await answer.get_json())["requeued"]) == (202, 1)
        assert (await site.store.items.get(other)).state is State.DEAD
        none = await site.api("POST", "/api/v1/retry", json={"where": "error:timeout site:a.example"})
        assert (none.status_code, (await none.get_json())["requeued"]) == (200, 0)

    gateway(story)


@pytest.mark.parametrize(
    ("path", "body", "faults"),
    [
        ("retry", {}, {"ids"}),
        ("retry", {"ids": ["x"], "where": "state:dead"}, {"ids"}),
        ("retry", {"ids": []}, {"ids"}),
        ("retry", {"ids": ["x"] * 1001}, {"ids"}),
        ("retry", {"where": "eror:timeout state:daed"}, {"where: eror:timeout", "where: state:daed"}),
        ("retry", {"where": 5, "more": 1}, {"where", "more"}),
        ("replay", {"from": "acquire", "where": "x"}, {"from", "where: x"}),
        ("replay", {"ids": ["x"]}, {"from"}),
    ],
)
def test_every_fault_of_a_body_is_named(gateway, path, body, faults):
    async def story(site: Site) -> None:
        answer = await site.api("POST", f"/api/v1/{path}", json=body)
        assert answer.status_code == 422
        assert answer.content_type == "application/problem+json"
        assert {fault["where"] for fault in (await answer.get_json())["errors"]} == faults

    gateway(story)


def test_a_replay_begins_at_the_stage_that_was_named(gateway):
    async def story(site: Site) -> None:
        uid = await site.done()
        answer = await site.api("POST", "/api/v1/replay", json={"from": "extract", "ids": [uid]})
        assert (answer.status_code, (await answer.get_json())["replayed"]) == (202, 1)
        item = await (await site.api("GET", f"/api/v1/items/{uid}")).get_json()
        assert (item["stage"]["code"], item["document"]["method"]) == (300, "")
        everything = await site.api("POST", "/api/v1/replay", json={"from": "enrich", "where": "site:example.com"})
        assert everything.status_code == 200  # it is on its way

    gateway(story)


def test_a_full_backlog_answers_503_with_what_was_done_and_when_to_come_again(gateway):
    async def story(site: Site) -> None:
        for n in range(4):
            await dead(site, f"https://example.com/{n}")
        rings = len(site.rings)
        answer = await site.api("POST", "/api/v1/retry", json={"where": "error:timeout"})
        assert answer.status_code == 503
        assert len(site.rings) == rings + 1
        problem = await answer.get_json()
        assert (problem["code"], "1 of 4" in problem["detail"]) == ("queue_full", True)
        assert answer.headers["Retry-After"] == "60"

    gateway(story, queue=QueueSettings(max_backlog=2))


def test_items_are_listed_by_a_selection_in_pages(gateway):
    async def story(site: Site) -> None:
        uids = [await dead(site, f"https://example.com/{n}") for n in range(3)]
        await dead(site, "https://other.example/")
        first = await (await site.api("GET", "/api/v1/items?where=site:example.com+error:timeout&limit=2")).get_json()
        path = f"/api/v1/items?where=site:example.com+error:timeout&cursor={first['cursor']}"
        second = await (await site.api("GET", path)).get_json()
        assert [item["id"] for item in first["items"] + second["items"]] == uids[::-1]
        assert second["cursor"] is None
        wrong = await site.api("GET", "/api/v1/items?where=sit:example.com&limit=0")
        assert {fault["where"] for fault in (await wrong.get_json())["errors"]} == {"where: sit:example.com", "limit"}

    gateway(story)


def test_an_item_that_waits_says_when_it_goes_on(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        assert (await (await site.api("GET", f"/api/v1/items/{uid}")).get_json())["due_at"] is None
        await finish(site.store, await site.claim(uid), Retry(reason=Reason(code="timeout"), after=60.0))
        assert (await (await site.api("GET", f"/api/v1/items/{uid}")).get_json())[
            "due_at"
        ] == "2026-09-21T14:14:20.000Z"

    gateway(story)


def test_breakers_are_listed_with_why_and_until_when(gateway):
    async def story(site: Site) -> None:
        now = site.clock.wall_ms()
        open_one = Breaker(
            name="host:example.org",
            state=BreakerState.OPEN,
            failures=5,
            opens=1,
            opened_at=now,
            probe_at=now + 60_000,
            reason="timeout",
        )
        await site.store.breakers.save(open_one)
        (told,) = (await (await site.api("GET", "/api/v1/breakers", scope="read")).get_json())["breakers"]
        assert told == {
            "name": "host:example.org",
            "state": "open",
            "failures": 5,
            "reason": "timeout",
            "opened_at": "2026-09-21T14:13:20.000Z",
            "next_probe_at": "2026-09-21T14:14:20.000Z",
        }

    gateway(story)


def test_a_token_that_may_only_read_does_nothing_again(gateway):
    async def story(site: Site) -> None:
        uid = await dead(site)
        for path, body in (
            (f"items/{uid}/retry", {}),
            ("retry", {"ids": [uid]}),
            ("replay", {"from": "extract", "ids": [uid]}),
        ):
            assert (await site.api("POST", f"/api/v1/{path}", scope="read", json=body)).status_code == 403
        assert (await site.store.items.get(uid)).state is State.DEAD

    gateway(story)
