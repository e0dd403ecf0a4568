"""A fault of ours has an id: in the answer, the line and the span, and it leads to all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from observability.names import Event
from observability.setup import Observed
from pipeline import errors
from tests.gateway.site import Site
from tests.gateway.watched import spans, watched

ITEMS = "/api/v1/items"
ERRORS = "/api/v1/errors"
SAID = "the particulars of <b>https://me:hunter2@example.org/</b>"


@pytest.fixture
def observed() -> Iterator[Observed]:
    with watched() as made:
        yield made


def breaks(site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
    """From now on nobody can list items."""

    async def fails(*_given: object) -> None:
        raise error or RuntimeError(SAID)

    monkeypatch.setattr(site.store.items, "list", fails)


async def kept(site: Site) -> None:
    """As the recorder does once a second."""
    await site.store.mishaps.keep(site.deps.mishaps.take(), role="api")


async def failed(site: Site, **headers: str) -> dict[str, Any]:
    answer = await site.api("GET", ITEMS, headers=headers)
    assert answer.status_code == 500
    problem: dict[str, Any] = await answer.get_json()
    return problem


def test_the_same_fault_has_the_same_id_and_another_fault_another_one(gateway, monkeypatch) -> None:
    async def story(site: Site) -> None:
        breaks(site, monkeypatch)
        first, again = await failed(site), await failed(site)
        assert first["error_id"] == again["error_id"]
        assert first["code"] == "internal"
        assert first["error_id"] in first["detail"]
        assert "particulars" not in str(first).replace("the log has the particulars", "")
        breaks(site, monkeypatch, KeyError("x"))
        assert (await failed(site))["error_id"] != first["error_id"]

    gateway(story)


def test_a_fault_can_be_looked_up_with_how_often_it_was_met_and_when(gateway, monkeypatch) -> None:
    async def story(site: Site) -> None:
        breaks(site, monkeypatch)
        error_id = (await failed(site, **{"X-Request-ID": "first"}))["error_id"]
        site.clock.pass_seconds(60)
        await failed(site, **{"X-Request-ID": "second"})
        await kept(site)
        told = {
            "id": error_id,
            "kind": "RuntimeError",
            "message": "the particulars of <b>https://***@example.org/</b>",
            "place": f"GET {ITEMS}",
            "role": "api",
            "count": 2,
            "first_seen": "2026-09-21T14:13:20.000Z",
            "last_seen": "2026-09-21T14:14:20.000Z",
            "item": None,
            "request_id": "second",
        }
        assert await (await site.api("GET", ERRORS, scope="read")).get_json() == {"errors": [told]}
        detail = await (await site.api("GET", f"{ERRORS}/{error_id.lower()}", scope="read")).get_json()
        traceback = detail.pop("traceback")
        assert detail == told
        assert traceback.startswith("Traceback (most recent call last):\n")
        assert traceback.rstrip().endswith("RuntimeError: the particulars of <b>https://***@example.org/</b>")
        assert "in fails" in traceback

    gateway(story)


def test_a_person_finds_it_on_the_pages_and_nothing_in_it_is_markup(gateway, monkeypatch) -> None:
    async def story(site: Site) -> None:
        assert "None. What goes wrong" in await site.text("/errors")
        breaks(site, monkeypatch)
        page = await site.browse("GET", "/")
        error_id = (await failed(site))["error_id"]
        shown = (await page.get_data()).decode()
        assert page.status_code == 500
        assert "Error id <code>" in shown
        assert "hunter2" not in shown
        await kept(site)
        for path in ("/errors", "/pipeline"):
            assert f'<a href="/errors/{error_id}"><code>{error_id}</code></a>' in await site.text(path), path
        alone = await site.text(f"/errors/{error_id}")
        for text in (await site.text("/errors"), alone):
            assert "RuntimeError" in text
            assert "&lt;b&gt;https://***@example.org/" in text
            assert "<b>https" not in text
        assert "1 time" in alone
        assert "Traceback (most recent call last)" in alone
        assert f"GET {ITEMS}, api" in alone

    gateway(story)


def test_a_fault_counts_on_over_roles(gateway, monkeypatch) -> None:
    async def story(site: Site) -> None:
        breaks(site, monkeypatch)
        error_id = (await failed(site))["error_id"]
        taken = site.deps.mishaps.take()
        await site.store.mishaps.keep(taken, role="worker")
        await site.store.mishaps.keep(taken, role="api")
        found = await (await site.api("GET", f"{ERRORS}/{error_id}")).get_json()
        assert (found["count"], found["role"]) == (2, "api")

    gateway(story)


def test_the_line_and_the_span_carry_the_id(gateway, observed, monkeypatch) -> None:
    async def story(site: Site) -> None:
        breaks(site, monkeypatch)
        with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
            problem = await failed(site, **{"X-Request-ID": "r-1"})
        error_id = problem["error_id"]
        lines = {each["event"]: each for each in logs}
        fault, served = lines[Event.REQUEST_FAILED], lines[Event.REQUEST_SERVED]
        assert (fault["log_level"], fault["error_id"], fault["correlation_id"]) == ("error", error_id, "r-1")
        assert isinstance(fault["exc_info"], RuntimeError)
        assert (served["log_level"], served["status"], served["error_id"]) == ("warning", 500, error_id)
        (span,) = spans(observed)
        assert (span.attributes["atlas.error_id"], span.error) == (error_id, "HTTP 500")
        assert "atlas_errors_total" in (observed.scrape() or "")

    gateway(story)


def test_it_is_told_by_the_health_for_a_day(gateway, monkeypatch) -> None:
    async def story(site: Site) -> None:
        async def judged() -> tuple[str, str]:
            found = (await (await site.raw("GET", "/health")).get_json())["components"]["errors"]
            return found["state"], found["reason"]

        breaks(site, monkeypatch)
        await failed(site)
        await kept(site)
        state, reason = await judged()
        assert state == "warning"
        assert "24 hours" in reason
        site.clock.pass_seconds(86_400)
        assert await judged() == ("ok", "")

    gateway(story)


def test_an_id_that_is_not_known_is_not_found_and_without_a_token_none_is(gateway) -> None:
    async def story(site: Site) -> None:
        missing = await site.api("GET", f"{ERRORS}/ZZZZZZZZ")
        assert (missing.status_code, (await missing.get_json())["code"]) == (404, "not_found")
        assert (await site.browse("GET", "/errors/ZZZZZZZZ")).status_code == 404
        assert (await site.browse("GET", "/errors/%3Cscript%3E")).status_code == 404
        for path in (ERRORS, f"{ERRORS}/ZZZZZZZZ"):
            assert (await site.raw("GET", path)).status_code == 401
        for path in ("/errors", "/errors/ZZZZZZZZ"):
            assert (await site.raw("GET", path)).headers["Location"] == "/sign-in"

    gateway(story)


@pytest.mark.parametrize(("query", "status"), [("limit=1", 200), ("limit=0", 422), ("limit=501", 422), ("x=1", 422)])
def test_the_list_has_a_limit(gateway, query, status) -> None:
    async def story(site: Site) -> None:
        assert (await site.api("GET", f"{ERRORS}?{query}")).status_code == status

    gateway(story)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.StoreBusy("busy"), 503),
        (errors.StoreFull("full"), 507),
        (errors.NotFound("no"), 404),
        (errors.InvalidInput("no"), 422),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_was_to_be_expected_is_no_fault_and_has_no_id(gateway, monkeypatch, error, status) -> None:
    async def story(site: Site) -> None:
        breaks(site, monkeypatch, error)
        answer = await site.api("GET", ITEMS)
        assert answer.status_code == status
        assert "error_id" not in await answer.get_json()
        for path in ("/nothing", f"{ITEMS}/{'0' * 26}"):
            await site.api("GET", path)
        assert site.deps.mishaps.take() == ()

    gateway(story)


def test_an_error_past_the_gateways_own_answer_is_a_500_with_an_id(gateway) -> None:
    async def story(site: Site) -> None:
        async def broken(_scope: object, _receive: object, _send: object) -> None:
            raise KeyError("a bug of the framework")

        app: Any = site.app.asgi_app
        app._app = broken
        with (
            structlog.testing.capture_logs() as told,
            pytest.raises(KeyError),
        ):
            await site.raw("GET", "/livez")
        (noted,) = site.deps.mishaps.take()
        (line,) = [each for each in told if each["event"] == Event.REQUEST_SERVED]
        assert (line["status"], line["error_id"], line["log_level"]) == (500, noted.id, "warning")

    gateway(story)
