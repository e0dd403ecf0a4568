"""GET /metrics at its edges: a proxy that says nothing of itself, and work that is no item."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from observability.setup import Observed
from tests.gateway.site import Site
from tests.gateway.test_metrics import HERE, figures, look
from tests.gateway.watched import scraped, watched


@pytest.fixture
def observed() -> Iterator[Observed]:
    with watched() as made:
        yield made


def test_a_proxy_on_this_machine_that_was_named_is_not_taken_for_a_program_of_it(gateway, observed) -> None:
    async def story(site: Site) -> None:
        answer = await scraped(site, observed).raw("GET", "/metrics", scope_base=HERE)
        assert answer.status_code == 401

    gateway(story, trusted_proxies=("127.0.0.1",))


def test_a_poll_that_is_due_and_not_taken_is_seen(gateway, observed) -> None:
    async def story(site: Site) -> None:
        await site.store.feeds.add("https://example.org/feed")
        await site.store.feeds.queue_due()
        site.clock.pass_seconds(400)
        families = await look(scraped(site, observed))
        assert figures(families["atlas_oldest_item_age_seconds"])[("discover",)] == pytest.approx(400, abs=1)

    gateway(story)
