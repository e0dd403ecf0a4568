"""kill -9 of the api while items are posted: an answer of 2xx means that it is on the disk."""

from __future__ import annotations

import http.client
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from supervisor.instance import fetch
from tests.test_reliability.roles import KILLS, Roles, roles
from tests.test_reliability.sizes import figure

pytestmark = pytest.mark.fault

KILLS_BETWEEN = max(5, KILLS // 5)


class Poster:
    """Posts new URLs without end from several threads; remembers every one that was answered 2xx."""

    def __init__(self, running: Roles) -> None:
        self._running = running
        self._stop = threading.Event()
        self.answered: dict[str, str] = {}
        self.refused: list[object] = []

    def run(self, thread: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self._post(f"http://example.com/{thread}/{number}")

    def _post(self, url: str) -> None:
        try:
            reply = self._running.atlas.ask("POST", "/api/v1/items", {"url": url})
        except (OSError, http.client.HTTPException):
            self._stop.wait(0.02)  # the api is away; its next life comes in a moment
            return
        if reply.status in {200, 202}:
            self.answered[url] = reply.body["id"]
        else:
            self.refused.append(reply)

    def stop(self) -> None:
        self._stop.set()


def test_every_save_that_was_answered_is_there_however_often_the_api_is_killed(tmp_path: Path) -> None:
    dice = random.Random(20261121)
    with roles(tmp_path, {"ATLAS_QUEUE_MAX_SIZE": "100000"}) as running, ThreadPoolExecutor(4) as threads:
        poster = Poster(running)
        try:
            api = running.start("api")
            for thread in range(4):
                threads.submit(poster.run, thread)
            for _ in range(KILLS):
                api.wait(dice.uniform(0.05, 0.4))
                running.kill(api)
                api = running.start("api")
        finally:
            poster.stop()
        threads.shutdown(wait=True)
        assert len(poster.answered) >= KILLS
        assert poster.refused == []
        found = {item["url"]: item["id"] for item in running.atlas.items()}
        lost = {url: uid for url, uid in poster.answered.items() if found.get(url) != uid}
        figure("F2", f"{KILLS} kills, {len(poster.answered)} saves answered 2xx, {len(lost)} lost")
        assert lost == {}
        assert len(found) == len(running.atlas.items())  # no URL twice
        assert api.stop() == 0


def test_a_note_posted_again_with_its_key_after_a_kill_is_one_item(tmp_path: Path) -> None:
    dice = random.Random(20261124)
    with roles(tmp_path) as running, ThreadPoolExecutor(1) as threads:
        api = running.start("api")
        answered: dict[str, str] = {}
        for number in range(KILLS_BETWEEN):
            key = f"key-{number}"
            first = threads.submit(_note, running, key)
            api.wait(dice.uniform(0.0, 0.02))
            running.kill(api)
            api = running.start("api")
            before, again = first.result(), _note(running, key)
            assert again is not None
            assert before in {None, again}
            answered[key] = again
        assert len(set(answered.values())) == len(running.atlas.items()) == KILLS_BETWEEN
        figure("F2", f"{KILLS_BETWEEN} notes posted twice with a kill between: {KILLS_BETWEEN} items")
        assert api.stop() == 0


def _note(running: Roles, key: str) -> str | None:
    """Post a note with its key; the item's uid, None when the api died before it answered."""
    headers = {"Authorization": f"Bearer {running.atlas.token}", "Idempotency-Key": key}
    base = f"http://127.0.0.1:{running.atlas.port}"
    try:
        reply = fetch(base, "POST", "/api/v1/items", {"text": f"a note: {key}"}, headers=headers)
    except (OSError, http.client.HTTPException):
        return None
    assert reply.status in {200, 202}, reply
    uid: str = reply.body["id"]
    return uid


def test_the_same_url_posted_a_hundred_times_at_once_is_one_item(tmp_path: Path) -> None:
    with roles(tmp_path) as running, ThreadPoolExecutor(25) as threads:
        api = running.start("api")
        body = {"url": "http://example.com/the-same"}
        replies = list(threads.map(lambda _: running.atlas.ask("POST", "/api/v1/items", body, seconds=30), range(100)))
        assert {reply.status for reply in replies} <= {200, 202}
        assert sum(reply.body["created"] for reply in replies) == 1
        assert len({reply.body["id"] for reply in replies}) == 1
        assert len(running.atlas.items()) == 1
        assert api.stop() == 0
