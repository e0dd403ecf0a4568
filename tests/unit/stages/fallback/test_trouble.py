"""Providers in trouble: whatever they send or do not send, it ends in time, as an error of ours, and their breaker
learns of it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from pipeline.errors import BreakerOpen, FetchTimeout, HttpStatus, ProtocolBroken
from tests.unit.stages.fallback.elsewhere import HTML, Elsewhere
from tests.unit.stages.net.site import reply

SERVICES = {
    "wayback": "available.org",
    "archive_today": "today.org",
    "google": "google.org",
    "searxng": "searx.org",
    "brave": "brave.org",
}
JSON = {"Content-Type": "application/json"}
each_service = pytest.mark.parametrize("name", list(SERVICES))


@each_service
@pytest.mark.parametrize(
    "said",
    [
        reply(b"", headers=JSON),
        reply(b"{", headers=JSON),
        reply(b"\xff\xfe\x00", headers=JSON),
        reply(b'"what?"', headers=JSON),
        reply(b"{" + b'"a":{' * 50_000, headers=JSON),
        reply(b'{"items": 1, "results": 1, "web": 1, "archived_snapshots": 1}', headers=JSON),
        reply(b"<!DOCTYPE html><title>Just a moment...</title>", headers=HTML),
    ],
    ids=["empty", "cut", "bytes", "a string", "deep", "wrong types", "a captcha"],
)
async def test_what_is_not_the_promised_form_is_trouble_and_no_copy(world: Elsewhere, name: str, said: bytes) -> None:
    world.on(SERVICES[name], said)
    for _ in range(2):
        with pytest.raises(ProtocolBroken):
            await world.ask(name)
    with pytest.raises(BreakerOpen):
        await world.ask(name)
    assert len(world.asked(SERVICES[name])) == 2


@each_service
async def test_a_service_that_fails_is_left_alone_until_its_time_is_up(world: Elsewhere, name: str) -> None:
    world.on(SERVICES[name], reply(b"", status=500))
    for _ in range(2):
        with pytest.raises(HttpStatus):
            await world.ask(name)
    with pytest.raises(BreakerOpen) as raised:
        await world.ask(name)
    assert 59 < raised.value.retry_after < 61
    world.clock.seconds += 61
    with pytest.raises(HttpStatus):  # the probe
        await world.ask(name)
    assert len(world.asked(SERVICES[name])) == 3


@each_service
async def test_a_service_that_names_a_time_is_left_alone_for_so_long(world: Elsewhere, name: str) -> None:
    world.on(SERVICES[name], reply(b"slower", status=429, headers={"Retry-After": "600"}))
    with pytest.raises(HttpStatus):
        await world.ask(name)
    with pytest.raises(BreakerOpen) as raised:
        await world.ask(name)
    assert 599 < raised.value.retry_after < 602
    assert len(world.asked(SERVICES[name])) == 1


@each_service
async def test_a_service_that_says_nothing_is_given_up_in_time_and_blamed_for_it(
    world: Elsewhere, autojump_clock: MockClock, name: str
) -> None:
    world.on(SERVICES[name], lambda _: None)
    began = trio.current_time()
    for _ in range(2):
        with pytest.raises(FetchTimeout):
            await world.ask(name, seconds=7.0)
    assert 13.9 < trio.current_time() - began < 15
    with pytest.raises(BreakerOpen):
        await world.ask(name)


async def test_a_breaker_of_one_provider_is_no_matter_of_another(world: Elsewhere) -> None:
    world.on("available.org", reply(b"", status=500))
    for _ in range(2):
        with pytest.raises(HttpStatus):
            await world.ask("wayback")
    assert world.breakers.wait_seconds("provider:wayback") > 0
    assert await world.ask("archive_today") is None
