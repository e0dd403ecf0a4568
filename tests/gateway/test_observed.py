"""Every answer names its request and its trace, whoever gives it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from quart import Response

from gateway.observed import Observed
from observability import carrier
from observability.names import Event
from observability.setup import Observed as Role
from tests.gateway.served import served
from tests.gateway.site import OWN, Site
from tests.gateway.test_sockets import ask
from tests.gateway.watched import spans, watched
from tests.store.hands import claim_all

ITEMS = "/api/v1/items"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"
MADE = re.compile(r"[0-9a-f]{16}")


@pytest.fixture
def observed() -> Iterator[Role]:
    with watched() as made:
        yield made


def ids(answer: Response) -> tuple[str, str]:
    """The one request id and the one trace id of an answer."""
    (request_id,) = answer.headers.getlist("X-Request-ID")
    (traceparent,) = answer.headers.getlist("traceparent")
    trace_id = carrier.trace_id({"traceparent": traceparent})
    assert trace_id is not None
    return request_id, trace_id


def breaks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_given: object) -> None:
        raise RuntimeError("the secret particulars of https://me:hunter2@example.org/")

    monkeypatch.setattr(site.store.items, "list", fails)


# Ids on every answer


async def every_kind(site: Site, **headers: str) -> list[tuple[int, Response]]:
    """One answer of each kind, with the status it should have."""
    token = {"Authorization": f"Bearer {await site.token()}", **headers}
    session = {"Cookie": f"atlas_session={await site.session()}", **headers}
    uid = await site.save(url="https://example.com/deleted")
    asked: list[tuple[int, str, str, dict[str, str], dict[str, Any]]] = [
        (200, "GET", f"{ITEMS}/{uid}", token, {}),
        (200, "POST", ITEMS, token, {"json": {"url": "https://example.com/deleted"}}),
        (202, "POST", ITEMS, token, {"json": {"url": "https://example.com/new"}}),
        (204, "DELETE", f"{ITEMS}/{uid}", token, {}),
        (303, "GET", "/", headers, {}),
        (401, "GET", ITEMS, headers, {}),
        (401, "GET", ITEMS, {**headers, "Authorization": "Bearer wrong"}, {}),
        (403, "POST", "/add", {**session, "Origin": "https://evil.example"}, {"form": {"urls": "https://a.org/"}}),
        (404, "GET", "/nothing", headers, {}),
        (404, "GET", f"{ITEMS}/{'0' * 26}", token, {}),
        (405, "PUT", ITEMS, token, {}),
        (413, "POST", ITEMS, token, {"json": {"text": "x" * 2000}}),
        (414, "GET", f"/{'x' * 9000}", headers, {}),
        (415, "POST", ITEMS, {**token, "Content-Type": "text/plain"}, {"data": "x"}),
        (421, "GET", "/livez", {**headers, "Host": "evil.example"}, {}),
        (422, "POST", ITEMS, token, {"json": {"url": "no address"}}),
        (431, "GET", "/livez", {**headers, "X-Large": "x" * 20_000}, {}),
        (500, "GET", ITEMS, token, {}),
        (500, "GET", "/", {**session, **OWN}, {}),
        (200, "GET", "/static/base.css", headers, {}),
        (404, "GET", "/static/nothing.css", headers, {}),
        (200, "GET", "/livez", headers, {}),
        (200, "HEAD", "/livez", headers, {}),
        (200, "GET", "/health", headers, {}),
        (200, "GET", "/ready", headers, {}),
        (404, "GET", "/metrics", token, {}),
    ]
    return [
        (status, await site.raw(method, path, headers=with_these, **more))
        for status, method, path, with_these, more in asked
    ]


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "not traced"])
def test_every_kind_of_answer_carries_the_callers_id_and_goes_on_in_its_trace(
    gateway, monkeypatch, request, traced
) -> None:
    if traced:
        request.getfixturevalue("observed")

    async def story(site: Site) -> None:
        breaks(site, monkeypatch)
        answers = await every_kind(site, **{"X-Request-ID": "my-phone:1", "traceparent": GIVEN})
        assert [answer.status_code for _status, answer in answers] == [status for status, _answer in answers]
        for status, answer in answers:
            assert ids(answer) == ("my-phone:1", TRACE), status
            assert (answer.headers["traceparent"] == GIVEN) is not traced

    gateway(story, max_body_bytes=1000)


def test_without_an_id_each_answer_gets_one_of_its_own(gateway, monkeypatch) -> None:
    async def story(site: Site) -> None:
        breaks(site, monkeypatch)
        answers = [ids(answer) for _status, answer in await every_kind(site)]
        assert all(MADE.fullmatch(request_id) for request_id, _trace_id in answers)
        assert len({request_id for request_id, _trace_id in answers}) == len(answers)
        assert len({trace_id for _request_id, trace_id in answers}) == len(answers)

    gateway(story, max_body_bytes=1000)


def test_who_asks_too_often_is_told_so_with_the_id(gateway) -> None:
    async def story(site: Site) -> None:
        headers = {"X-Request-ID": "often", "traceparent": GIVEN}
        answers = [await site.api("GET", ITEMS, headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert {ids(answer) for answer in answers} == {("often", TRACE)}
        assert (await answers[-1].get_json())["request_id"] == "often"

    gateway(story, requests_per_minute=2)


def test_past_the_cap_on_requests_in_hand_the_refusal_has_the_ids_and_is_counted(gateway, observed) -> None:
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        cap = site.app.asgi_app._app  # type: ignore[attr-defined]
        waiting = asyncio.create_task(site.api("GET", f"{ITEMS}/{uid}?wait=30"))
        async with asyncio.timeout(10):
            while cap.in_hand == 0:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
        refused = await site.raw("GET", "/livez", headers={"X-Request-ID": "late", "traceparent": GIVEN})
        assert (refused.status_code, ids(refused)) == (503, ("late", TRACE))
        assert site.deps.news is not None
        site.deps.news.close()
        assert (await waiting).status_code == 200
        (span,) = [each for each in spans(observed) if each.attributes["atlas.correlation_id"] == "late"]
        assert (span.attributes["http.response.status_code"], span.error) == (503, "HTTP 503")

    gateway(story, max_connections=1)


def test_a_handshake_for_a_websocket_is_refused_with_an_id(gateway) -> None:
    async def story(site: Site) -> None:
        upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
        key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        async with served(site) as port:
            answer = await ask(port, "\r\n".join(("GET / HTTP/1.1", "Host: localhost", *upgrade, key, "", "")).encode())
        assert answer.startswith(b"HTTP/1.1 4")
        assert b"x-request-id: " in answer.lower()

    gateway(story)


# Which ids are taken


@pytest.mark.parametrize("sane", ["a", "A.b_c:d-9", "x" * 64, "0f8fad5b-d9cb-469f-a165-70867728950e"])
def test_a_sane_id_of_the_caller_is_kept(gateway, sane) -> None:
    async def story(site: Site) -> None:
        assert ids(await site.raw("GET", "/livez", headers={"X-Request-ID": sane}))[0] == sane

    gateway(story)


@pytest.mark.parametrize(
    "insane",
    [
        b"",
        b"x" * 65,
        b"a b",
        b" ",
        b"a\r\nSet-Cookie: forged=1",
        b"a\n",
        b"a\0",
        b"<script>",
        b'"a"',
        b"\xc3\xa9",
        b"a,b",
    ],
)
def test_an_insane_one_is_replaced(gateway, insane) -> None:
    """Even one that no server lets through: what comes out is written into a header."""

    async def inner(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def story(site: Site) -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "headers": [(b"x-request-id", insane)]}
        await Observed(inner, site.deps)(scope, None, send)  # type: ignore[arg-type]
        told = dict(sent[0]["headers"])
        assert MADE.fullmatch(told[b"x-request-id"].decode())
        assert set(told) == {b"x-request-id", b"traceparent"}

    gateway(story)


def test_the_span_of_a_request_is_inside_that_of_the_caller_and_says_what_it_was(gateway, observed) -> None:
    async def story(site: Site) -> None:
        answer = await site.api(
            "POST",
            ITEMS,
            json={"url": "https://example.com/a"},
            headers={"traceparent": GIVEN, "X-Request-ID": "r-1"},
        )
        uid = (await answer.get_json())["id"]
        request, accept = sorted(observed.take_outgoing(10), key=lambda each: each.name != "request")
        assert (request.trace_id, request.parent_id, request.kind) == (TRACE, PARENT, "server")
        assert answer.headers["traceparent"] == f"00-{TRACE}-{request.span_id}-01"
        assert request.attributes == {
            "http.request.method": "POST",
            "http.route": ITEMS,
            "http.response.status_code": 202,
            "atlas.correlation_id": "r-1",
            "atlas.item_id": uid,
        }
        assert (accept.name, accept.parent_id) == ("accept", request.span_id)
        assert (accept.item, accept.attributes["atlas.outcome"]) == (uid, "created")
        claim = await site.claim(uid)
        assert claim.trace == {"traceparent": answer.headers["traceparent"], "correlation_id": "r-1"}

    gateway(story)


@pytest.mark.parametrize("broken", ["nonsense", GIVEN.upper(), GIVEN + "-more", f"00-{'0' * 32}-{PARENT}-01", ""])
@pytest.mark.parametrize("traced", [True, False], ids=["traced", "not traced"])
def test_a_broken_traceparent_begins_anew(gateway, request, broken, traced) -> None:
    if traced:
        request.getfixturevalue("observed")

    async def story(site: Site) -> None:
        found = {ids(await site.raw("GET", "/livez", headers={"traceparent": broken}))[1] for _ in range(2)}
        assert len(found) == 2
        assert TRACE not in found

    gateway(story)


def test_a_caller_who_asks_not_to_be_traced_is_not_and_has_its_ids_all_the_same(gateway, observed) -> None:
    async def story(site: Site) -> None:
        answer = await site.raw("GET", "/livez", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
        assert ids(answer)[1] == TRACE
        assert answer.headers["traceparent"].endswith("-00")
        assert observed.take_outgoing(10) == []

    gateway(story)


# Whose trace a thing goes on in


def test_several_things_of_one_request_have_traces_of_their_own_and_its_id(gateway, observed) -> None:
    async def story(site: Site) -> None:
        headers = {"X-Request-ID": "both", "traceparent": GIVEN}
        form = {"urls": "https://example.com/1\nhttps://example.com/2"}
        assert (await site.browse("POST", "/add", form=form, headers=headers)).status_code == 200
        traces = [claim.trace for claim in await claim_all(site.store)]
        assert {trace["correlation_id"] for trace in traces} == {"both"}
        assert len({carrier.trace_id(trace) for trace in traces} | {TRACE}) == 3

    gateway(story)


def test_each_of_several_things_has_a_trace_that_begins_with_the_span_of_its_save(gateway, observed) -> None:
    async def story(site: Site) -> None:
        form = {"urls": "https://example.com/1\nhttps://example.com/2"}
        assert (await site.browse("POST", "/add", form=form)).status_code == 200
        found = observed.take_outgoing(100)
        known = {each.span_id for each in found}
        accepted = [each for each in found if each.name == "accept"]
        assert len(accepted) == 2
        (request,) = [each for each in found if each.name == "request"]
        assert {each.parent_id for each in accepted} == {None}
        assert {each.links for each in accepted} == {((request.trace_id, request.span_id),)}
        for claim in await claim_all(site.store):
            assert claim.trace["traceparent"].split("-")[2] in known

    gateway(story)


def test_what_is_done_again_goes_on_in_the_trace_of_who_asked_for_it(gateway) -> None:
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        await site.bury(uid, code="gone", hint="", detail="")
        headers = {"X-Request-ID": "again", "traceparent": GIVEN}
        assert (await site.api("POST", f"{ITEMS}/{uid}/retry", headers=headers)).status_code == 202
        trace = (await site.claim(uid)).trace
        assert (trace["correlation_id"], carrier.trace_id(trace)) == ("again", TRACE)

    gateway(story)


# Lines


def lines_of(logs: list[Any], event: Event) -> list[dict[str, Any]]:
    return [dict(each) for each in logs if each["event"] == event]


def test_a_request_is_one_line_with_pattern_status_and_ids_and_a_save_is_another(gateway) -> None:
    async def story(site: Site) -> None:
        headers = {"X-Request-ID": "r-1", "traceparent": GIVEN}
        with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
            answer = await site.api("POST", ITEMS, json={"url": "https://example.com/a"}, headers=headers)
            uid = (await answer.get_json())["id"]
            await site.api("GET", f"{ITEMS}/{uid}")
            await site.raw("GET", "/livez", headers={"Host": "evil.example"})
        post, get, foreign = lines_of(logs, Event.REQUEST_SERVED)
        assert post.pop("duration") >= 0
        assert post == {
            "event": "request.served",
            "log_level": "info",
            "method": "POST",
            "endpoint": ITEMS,
            "status": 202,
            "correlation_id": "r-1",
            "trace_id": TRACE,
        }
        assert (get["log_level"], get["endpoint"], get["status"]) == ("debug", f"{ITEMS}/<uid>", 200)
        assert MADE.fullmatch(get["correlation_id"])
        assert (foreign["endpoint"], foreign["status"]) == ("/livez", 421)
        (saved,) = lines_of(logs, Event.ITEM_ACCEPTED)
        assert (saved["item_id"], saved["correlation_id"], saved["result"]) == (uid, "r-1", "created")
        assert structlog.contextvars.get_contextvars() == {}

    gateway(story)
