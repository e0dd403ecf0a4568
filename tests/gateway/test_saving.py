"""POST /api/v1/items: what a program may send, and what it may rely on."""

from __future__ import annotations

import asyncio

from pipeline.settings import QueueSettings
from tests.gateway.site import Site

ITEMS = "/api/v1/items"


def test_a_saved_page_is_kept_named_and_announced_to_the_worker(gateway):
    async def story(site: Site) -> None:
        answer = await site.api("POST", ITEMS, json={"url": "https://example.com/a?utm_source=x", "tags": [" Web "]})
        sent = await answer.get_json()
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"{ITEMS}/{sent['id']}"
        assert (sent["status"], sent["created"], sent["deferred"]) == ("accepted", True, False)
        item = await site.store.items.get(sent["id"])
        assert (item.url_key, item.tags) == ("https://example.com/a", ("web",))
        assert len(site.rings) == 1

    gateway(story)


def test_saving_the_same_page_again_answers_200_with_the_same_item(gateway):
    async def story(site: Site) -> None:
        first = await site.save(url="https://example.com/a")
        again = await site.api("POST", ITEMS, json={"url": "http://EXAMPLE.com/a#part"})
        assert again.status_code == 200
        assert (await again.get_json())["id"] == first
        assert (await again.get_json())["status"] == "existing"

    gateway(story)


def test_a_hundred_saves_of_one_page_at_once_make_one_item(gateway):
    async def story(site: Site) -> None:
        await site.token()
        uids = await asyncio.gather(*(site.save(url="https://example.com/a") for _ in range(100)))
        assert len(set(uids)) == 1

    gateway(story)


def test_every_fault_of_a_body_is_named_at_once(gateway):
    async def story(site: Site) -> None:
        answer = await site.api("POST", ITEMS, json={"url": 3, "tags": ["ok", 5], "colour": "red"})
        problem = await answer.get_json()
        assert answer.status_code == 422
        assert answer.content_type == "application/problem+json"
        assert [each["where"] for each in problem["errors"]] == ["colour", "url", "tags[1]"]
        assert problem["code"] == "invalid_input"

        answer = await site.api("POST", ITEMS, json={"url": "mailto:a@b.c", "tags": ["", "a\u0007"], "text": "x"})
        problem = await answer.get_json()
        assert [each["where"] for each in problem["errors"]] == ["text", "url", "tags[0]", "tags[1]"]

    gateway(story)


def test_what_is_no_json_is_400_another_type_is_415_and_too_much_is_413(gateway):
    async def story(site: Site) -> None:
        async def status(data: bytes, content_type: str = "application/json") -> int:
            answer = await site.api("POST", ITEMS, data=data, headers={"Content-Type": content_type})
            assert answer.content_type == "application/problem+json"
            return answer.status_code

        assert await status(b"{") == 400
        assert await status(b"\xff\xfe") == 400
        assert await status(b'{"title": "\\ud800"}') == 400
        assert await status(b"[" * 50_000 + b"]" * 50_000) == 400  # deeper than any version of Python goes
        assert await status(b"[]") == 422
        assert await status(b"url=x", "application/x-www-form-urlencoded") == 415
        assert await status(b'{"title": "' + b"x" * 100_000 + b'"}') == 413

    gateway(story, max_body_bytes=100_000)


def test_a_note_has_a_text_and_no_url(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(text="# Trees\n\nPlant more.", title="Garden", tags=["home"])
        item = await site.store.items.get(uid)
        assert (item.kind.value, item.title, item.url) == ("note", "Garden", None)
        assert (await site.api("POST", ITEMS, json={"text": "  "})).status_code == 422
        assert (await site.api("POST", ITEMS, json={})).status_code == 422

    gateway(story)


def test_a_url_without_credentials_is_what_is_kept(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://me:secret@example.com/a")
        answer = await site.api("GET", f"{ITEMS}/{uid}")
        assert b"secret" not in await answer.get_data()

    gateway(story)


def test_an_idempotency_key_stands_for_one_request(gateway):
    async def story(site: Site) -> None:
        key = {"Idempotency-Key": "k1"}
        first = await site.api("POST", ITEMS, json={"text": "a"}, headers=key)
        again = await site.api("POST", ITEMS, json={"text": "a"}, headers=key)
        other = await site.api("POST", ITEMS, json={"text": "b"}, headers=key)
        assert (await first.get_json())["id"] == (await again.get_json())["id"]
        assert other.status_code == 422
        assert (await other.get_json())["code"] == "idempotency_mismatch"
        long = await site.api("POST", ITEMS, json={"text": "a"}, headers={"Idempotency-Key": "k" * 201})
        assert long.status_code == 422

    gateway(story)


def test_the_callers_trace_goes_with_the_item_and_its_request_id_comes_back(gateway):
    async def story(site: Site) -> None:
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        answer = await site.api(
            "POST", ITEMS, json={"url": "https://example.com/a"}, headers={"traceparent": trace, "X-Request-ID": "r-1"}
        )
        assert answer.headers["X-Request-ID"] == "r-1"
        claim = await site.claim((await answer.get_json())["id"])
        assert claim.trace["traceparent"] == trace
        assert claim.trace["correlation_id"] == "r-1"
        odd = await site.api("GET", ITEMS, headers={"X-Request-ID": "a b<script>"})
        assert odd.headers["X-Request-ID"] not in {"", "a b<script>"}

    gateway(story)


def test_past_the_backlog_limit_a_save_is_refused_with_a_time_to_come_back(gateway):
    async def story(site: Site) -> None:
        await site.save(url="https://example.com/1")
        later = await site.api("POST", ITEMS, json={"url": "https://example.com/2"})
        assert (await later.get_json())["deferred"] is True
        refused = await site.api("POST", ITEMS, json={"url": "https://example.com/3"})
        assert refused.status_code == 503
        assert (await refused.get_json())["code"] == "queue_full"
        assert int(refused.headers["Retry-After"]) > 0
        ready = await site.raw("GET", "/ready")
        assert ready.status_code == 503
        report = await ready.get_json()
        assert report == {"ready": False, "queue_size": 1, "max_queue_size": 1, "database": "ok", "disk": "ok"}

    gateway(story, queue=QueueSettings(max_size=1, max_backlog=2))
