"""A save is one trace from the request to the index: at a collector, on its page, in the logs of both roles."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.test_integration.at_work import SECONDS, AtWork, at_work, sample_site
from tests.test_integration.otlp import Collector, Received, collector

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
REQUEST_ID = "my-phone:42"
STAGES = ("acquire", "validate", "extract", "enrich", "finalise")
IDS = {"X-Request-ID": REQUEST_ID, "traceparent": f"00-{TRACE}-{PARENT}-01"}


def whole(found: list[Received]) -> bool:
    """Whether both ends of a save have arrived, and the trace's root."""
    return {"request", "stage.finalise"} <= {span.name for span in found}


def arrived(otlp: Collector, trace_id: str) -> list[Received]:
    assert otlp.wait_for(lambda one: whole([each for each in one.spans if each.trace_id == trace_id]), seconds=SECONDS)
    return otlp.of(trace_id)


def one(found: list[Received], name: str) -> Received:
    (span,) = [each for each in found if each.name == name]
    return span


# What must be true of a trace


def connected(found: list[Received]) -> None:
    """Each span is inside another one of the trace, but for the request, which is inside the caller's."""
    ids = Counter(span.span_id for span in found)
    assert set(ids.values()) == {1}
    outside = [span for span in found if span.parent_id not in ids]
    assert [(span.name, span.parent_id) for span in outside] == [("request", PARENT)]


def complete(found: list[Received]) -> None:
    names = Counter(span.name for span in found)
    assert {name: names[name] for name in ("request", "accept", "claim")} == {"request": 1, "accept": 1, "claim": 1}
    assert {name for name in names if name.startswith("stage.")} == {f"stage.{stage}" for stage in STAGES}
    assert names["commit"] == len(STAGES)
    assert names["fetch"] >= 1
    assert {name for name in names if name.startswith("parse.")} == {"parse.glance", "parse.extract", "parse.enrich"}
    assert {"step.acquired", "step.extracted", "step.indexed"} <= set(names), sorted(names)
    assert {span.service for span in found} == {"atlas-api", "atlas-worker"}
    assert {span.name for span in found if span.service == "atlas-api"} == {"request", "accept"}


def nested(found: list[Received]) -> None:
    """What belongs to a stage is inside it, and every span is inside the time of … what it is inside."""
    by_id = {span.span_id: span for span in found}
    inside = {(by_id[span.parent_id].name, span.name) for span in found if span.parent_id in by_id}
    assert {("request", "accept"), ("request", "claim"), ("stage.acquire", "fetch")} <= inside
    assert {("stage.validate", "parse.glance"), ("stage.extract", "parse.extract")} <= inside
    assert {("request", f"stage.{stage}") for stage in STAGES} <= inside
    assert {(f"stage.{stage}", "commit") for stage in STAGES} <= inside
    assert {outer for outer, name in inside if name.startswith("step.")} <= {f"stage.{stage}" for stage in STAGES}
    for span in found:
        assert span.start <= span.end


def linked(found: list[Received]) -> None:
    """From the claim to the request, and from each stage to the one before."""
    before = one(found, "request")
    for name in ("claim", *(f"stage.{stage}" for stage in STAGES)):
        span = one(found, name)
        assert span.links == ((TRACE, before.span_id),), name
        before = span


def kinds_and_subject(found: list[Received], uid: str) -> None:
    kinds = {span.name: span.kind for span in found}
    assert (kinds["request"], kinds["fetch"], kinds["stage.acquire"]) == ("server", "client", "consumer")
    assert {span.attributes.get("atlas.item_id") for span in found} == {uid}
    assert {span.name for span in found if span.failed} == set()
    for name in ("request", "stage.acquire", "stage.finalise"):
        assert one(found, name).attributes["atlas.correlation_id"] == REQUEST_ID


def shown(running: AtWork, uid: str, found: list[Received]) -> None:
    """The same spans without any collector: in the API and on the page."""
    running.until(lambda: len(running.spans(uid)) >= len(found), "keeping the spans")
    kept = running.spans(uid)
    assert {each: span["name"] for each, span in kept.items()} == {span.span_id: span.name for span in found}
    assert {each: span["parent_id"] for each, span in kept.items()} == {span.span_id: span.parent_id for span in found}
    assert {span["trace_id"] for span in kept.values()} == {TRACE}
    steps = running.atlas.ask("GET", f"/api/v1/items/{uid}/events").body["events"]
    timed = Counter(f"step.{each['name']}" for each in steps if each["duration_ms"] is not None)
    assert timed == Counter(span.name for span in found if span.name.startswith("step."))
    html = running.page(f"/items/{uid}/timeline")
    assert f"Trace <code>{TRACE}</code>" in html
    table = html.partition('id="spans"')[2]
    for word in ("request", "kept on the disk", "taken from the queue", "fetch", *(f"stage.{s}" for s in STAGES)):
        assert f">{word}<" in table, word
    assert table.count("<tr") - table.count("<thead>") == len(found)


def told(running: AtWork, uid: str) -> None:
    """One id, searched for in the logs of both roles, shows the whole life of the save."""
    running.until(lambda: len(running.grep(REQUEST_ID)["api"]) == 2, "logging the request")
    running.until(lambda: len(running.grep(REQUEST_ID)["worker"]) == len(STAGES), "logging the stages")
    found = running.grep(REQUEST_ID)
    assert [line["event"] for line in found["api"]] == ["item.accepted", "request.served"]
    assert [line["status"] for line in found["api"] if line["event"] == "request.served"] == [202]
    assert [(line["event"], line["stage"]) for line in found["worker"]] == [
        ("stage.finished", stage) for stage in STAGES
    ]
    assert found["worker"][-1]["state"] == "done"
    for line in (found["api"][0], *found["worker"]):
        assert (line["item_id"], line["trace_id"]) == (uid, TRACE)


@pytest.mark.slow
def test_a_save_is_one_connected_trace_that_the_collector_the_page_and_the_logs_of_both_roles_show(
    tmp_path: Path,
) -> None:
    with (
        collector() as otlp,
        sample_site() as site,
        at_work(tmp_path, ATLAS_TRACE_OTLP_ENDPOINT=otlp.endpoint) as running,
    ):
        uid = running.save(f"{site}/articles/rain-gauges", **IDS)
        found = arrived(otlp, TRACE)
        connected(found)
        complete(found)
        nested(found)
        linked(found)
        kinds_and_subject(found, uid)
        shown(running, uid, found)
        told(running, uid)


# Other pages, other settings


@pytest.mark.slow
def test_a_page_that_is_found_elsewhere_shows_who_was_asked_in_the_same_trace(tmp_path: Path) -> None:
    with collector() as otlp, sample_site() as site:
        settings = {
            "ATLAS_TRACE_OTLP_ENDPOINT": otlp.endpoint,
            "ATLAS_FALLBACK_PROVIDERS": "browser, wayback",
            "ATLAS_FALLBACK_ASK_ABOUT_PRIVATE": "true",
            "ATLAS_FALLBACK_WAYBACK_URL": f"{site}/archive/available",
            "ATLAS_FALLBACK_WAYBACK_CDX_URL": f"{site}/archive/cdx",
            "ATLAS_FALLBACK_WAYBACK_WEB_URL": f"{site}/archive/web",
        }
        with at_work(tmp_path, **settings) as running:
            uid = running.save(f"{site}/articles/the-ferry-bell-at-low-water", **IDS)
            found = arrived(otlp, TRACE)
            connected(found)
            browser, wayback = one(found, "provider.browser"), one(found, "provider.wayback")
            assert browser.start < wayback.start
            assert wayback.attributes["atlas.outcome"] == "copy"
            asked = [span for span in found if span.parent_id == wayback.span_id]
            assert {span.name for span in asked} == {"fetch"}
            assert any("/archive/web/" in span.attributes["url.full"] for span in asked)
            assert len([span for span in found if span.name == "stage.acquire"]) >= 2
            running.until(lambda: len(running.spans(uid)) == len(found), "keeping the spans")
            for name in ("provider.browser", "provider.wayback"):
                assert name in running.page(f"/items/{uid}/timeline")


@pytest.mark.slow
def test_nobody_is_sent_anything_unless_a_setting_names_a_collector_and_the_page_shows_the_spans_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collector() as otlp, sample_site() as site:
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, otlp.base)
        with at_work(tmp_path) as running:
            uid = running.save(f"{site}/articles/rain-gauges")
            running.until(lambda: "stage.finalise" in json.dumps(running.spans(uid)), "keeping the spans")
            assert (running.stop("api", seconds=8), running.stop("worker", seconds=20)) == (0, 0)
        assert otlp.connections == 0


@pytest.mark.slow
def test_without_a_share_no_span_is_made_and_answers_and_lines_have_their_ids_all_the_same(tmp_path: Path) -> None:
    with collector() as otlp, sample_site() as site:
        settings = {"ATLAS_TRACE_OTLP_ENDPOINT": otlp.endpoint, "ATLAS_TRACE_SAMPLE": "0"}
        with at_work(tmp_path, **settings) as running:
            uid = running.save(f"{site}/articles/rain-gauges", **IDS)
            told(running, uid)
            assert running.spans(uid) == {}
            assert 'id="spans"' not in running.page(f"/items/{uid}/timeline")
            assert (running.stop("api", seconds=8), running.stop("worker", seconds=20)) == (0, 0)
        assert otlp.connections == 0
