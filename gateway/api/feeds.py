"""/api/v1/feeds: list and add."""

from __future__ import annotations

from quart import Response

from gateway import shape, wire
from gateway.decode import body_as
from gateway.deps import Deps
from gateway.intake import url_key
from gateway.render import json
from pipeline.errors import Fault, InvalidInput

SHORTEST = 300  # seconds between polls: kinder than that is asked of nobody's server
LONGEST = 7 * 86_400


async def list_feeds(deps: Deps) -> Response:
    return json(wire.FeedList(feeds=tuple(shape.feed(each) for each in await deps.store.feeds.list())))


async def create(deps: Deps) -> Response:
    """Add a feed; its first poll is due at once. The worker does the polling, so a wrong URL shows there."""
    wanted = await body_as(wire.NewFeed)
    faults: list[Fault] = []
    url_key(wanted.url.strip(), faults)
    if not SHORTEST <= wanted.interval_seconds <= LONGEST:
        hint = f"from {SHORTEST} to {LONGEST}"
        faults.append(Fault(where="interval_seconds", what="is out of range", hint=hint))
    if faults:
        raise InvalidInput("The feed has faults.", faults=tuple(faults))
    feed = await deps.store.feeds.add(wanted.url.strip(), interval_seconds=wanted.interval_seconds)
    deps.ring()
    return json(shape.feed(feed), 201)
