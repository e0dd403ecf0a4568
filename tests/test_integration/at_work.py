"""An Atlas at work beside a small site: an api and a worker as processes, what they are asked, and what they log."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from supervisor.instance import Reply, fetch
from tests.test_reliability.roles import Roles, roles
from tools.sample_site import SampleSite

SECONDS = 30.0  # for whatever a role does in its own time
ROLES = ("api", "worker")


@contextmanager
def sample_site() -> Iterator[str]:
    """The sample site, on a thread; its address."""
    with SampleSite(0) as site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield site.address
        finally:
            site.shutdown()
            thread.join(10)


class AtWork:
    """Both roles, told apart by their names."""

    def __init__(self, running: Roles) -> None:
        self.atlas = running.atlas
        self.start = running.start
        self.base = f"http://127.0.0.1:{running.atlas.port}"
        self.roles = {role: running.start(role) for role in reversed(ROLES)}

    def post(self, url: str, **headers: str) -> str:
        """Save a page; its uid."""
        told = {"Authorization": f"Bearer {self.atlas.token}", **headers}
        reply: Reply = fetch(self.base, "POST", "/api/v1/items", {"url": url}, headers=told)
        assert reply.status == 202, reply
        uid: str = reply.body["id"]
        return uid

    def end(self, uid: str) -> None:
        """Wait until it is in the library."""
        item = self.atlas.ask("GET", f"/api/v1/items/{uid}?wait=30", seconds=40).body
        assert item["state"] == "done", item

    def save(self, url: str, **headers: str) -> str:
        """Save a page and wait until it is in the library; its uid."""
        uid = self.post(url, **headers)
        self.end(uid)
        return uid

    def until(self, look: Callable[[], bool], what: str) -> None:
        """Wait for what a role does in its own time."""
        self.roles["worker"].wait_for(look, seconds=SECONDS, what=what)

    def page(self, path: str) -> str:
        """As a browser gets it."""
        headers = {"Authorization": f"Bearer {self.atlas.token}", "Accept": "text/html"}
        reply = fetch(self.base, "GET", path, headers=headers)
        assert reply.status == 200, path
        assert isinstance(reply.body, str)
        return reply.body

    def spans(self, uid: str) -> dict[str, dict[str, Any]]:
        """The spans of an item that are kept, by their ids."""
        found = self.atlas.ask("GET", f"/api/v1/items/{uid}/spans").body["spans"]
        return {each["span_id"]: each for each in found}

    def metrics(self, *, seconds: float = 10.0) -> dict[str, Metric]:
        """What a program on this machine is told without a token; each family stands once."""
        reply = fetch(self.base, "GET", "/metrics", seconds=seconds)
        assert reply.status == 200
        families = list(text_string_to_metric_families(reply.body))
        found = {family.name: family for family in families}
        assert len(found) == len(families)
        return found

    def log(self, role: str) -> str:
        """What a role has logged so far."""
        return (self.atlas.data / f"{role}.err").read_text("utf-8")

    def grep(self, text: str) -> dict[str, list[dict[str, Any]]]:
        """Per role the lines in which `text` stands; every line of a log is one JSON object."""
        return {
            role: [
                json.loads(line)
                for line in self.log(role).splitlines(keepends=True)
                if text in line and line.endswith("\n")
            ]
            for role in ROLES
        }

    def stop(self, role: str, *, seconds: float) -> int:
        """SIGTERM; the exit status, which is not 0 when it took longer."""
        return self.roles[role].stop(seconds=seconds)


@contextmanager
def at_work(folder: Path, **settings: str) -> Iterator[AtWork]:
    """Started, ready, and gone after the block."""
    with roles(folder, {"ATLAS_LOG_FORMAT": "json", **settings}) as running:
        yield AtWork(running)
