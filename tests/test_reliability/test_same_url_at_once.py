"""F31: the same address saved a hundred times at once, by an api and fetched by a worker: one item, one fetch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.test_reliability.clients import counting_site, timed
from tests.test_reliability.roles import roles
from tests.test_reliability.sizes import figure

pytestmark = pytest.mark.fault

POSTS = 100


def test_an_address_saved_a_hundred_times_at_once_is_one_item_and_fetched_once(tmp_path: Path) -> None:
    with counting_site() as site, roles(tmp_path) as running, ThreadPoolExecutor(POSTS) as threads:
        running.start("api")
        worker = running.start("worker")
        body = {"url": f"{site.url}/the-same"}
        posts = [threads.submit(timed, running.atlas, "POST", "/api/v1/items", body) for _ in range(POSTS)]
        answers = [post.result() for post in posts]
        assert {answer.status for answer in answers} <= {200, 202}
        assert len({msgspec.json.decode(answer.content)["id"] for answer in answers}) == 1
        worker.wait_for(lambda: running.ended(1), seconds=30, what="finishing the item")
        (item,) = running.atlas.items()
        assert item["state"] == "done"
        assert site.asked["/the-same"] == 1
        slowest = max(answer.seconds for answer in answers)
    figure("F31", f"{POSTS} posts at once: {POSTS} x 2xx, 1 item, 1 fetch; the slowest answer took {slowest:.2f} s")
