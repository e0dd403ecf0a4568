"""Atlas installed on a booted systemd by the real recipe, and how tests speak with it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.systemd import booted, prepared
from tests.systemd.booted import Booted
from tests.systemd.prepared import CHECKOUT

PORT = 7444
INSTALL_SECONDS = 400.0
LAUNCHER = "/opt/atlas/current/tools/atlas"
ROLES = ("atlas-api.service", "atlas-worker.service")


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any


def missing() -> str | None:
    """Why none of this can be done here; None when it can."""
    return booted.missing() or prepared.missing()


class Installed(Booted):
    """A booted machine with Atlas on it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.token = ""

    def just(self, *arguments: str, seconds: float = INSTALL_SECONDS, check: bool = True, path: str = "") -> str:
        """Run a recipe in the checkout inside, as root; what it printed, with errors."""
        command = ["just", "--justfile", f"{CHECKOUT}/Justfile", *arguments]
        ran = self.run(*command, seconds=seconds, check=check, environment={"PATH": path} if path else None)
        return ran.stdout + ran.stderr

    def install(self, *arguments: str) -> str:
        """Install, and make a token for `ask`."""
        told = self.just("install-system", *arguments)
        self.token = self.atlas("token", "create", "--name", "test", "--scope", "admin")
        return told

    def atlas(self, *arguments: str, check: bool = True) -> str:
        """Run the operator's command; what it printed."""
        return self.run("atlas", *arguments, check=check).stdout.strip()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        seconds: float = 10.0,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request from the calling thread, which must be in the machine's network. Raises as http.client."""
        told = {"Accept": "application/json", "Authorization": f"Bearer {self.token}"} | dict(headers or {})
        if body is not None:
            told["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=seconds)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), told)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return Reply(answer.status, json.loads(content) if is_json else content.decode("utf-8", "replace"))

    def ask(self, method: str, path: str, body: object = None, *, seconds: float = 10.0) -> Reply:
        """One request from inside the machine."""
        return self.within(lambda: self.request(method, path, body, seconds=seconds))

    def is_well(self) -> bool:
        """Whether /health says 200 and that a worker is at work."""
        try:
            health = self.ask("GET", "/health", seconds=5)
        except (OSError, http.client.HTTPException):
            return False
        return health.status == 200 and bool(health.body["processor"] == "up")

    def until_well(self, seconds: float = 30.0) -> None:
        self.until(self.is_well, seconds=seconds, what="/health")

    def save(self, url: str) -> str:
        """Save a page; its id."""
        reply = self.ask("POST", "/api/v1/items", {"url": url})
        assert reply.status in {200, 202}, reply
        uid: str = reply.body["id"]
        return uid

    def state(self, uid: str) -> str:
        """Where an item is: done, waiting, …"""
        state: str = self.ask("GET", f"/api/v1/items/{uid}").body["state"]
        return state

    def until_done(self, *uids: str, seconds: float = 30.0) -> None:
        self.until(lambda: all(self.state(uid) == "done" for uid in uids), seconds=seconds, what=f"{len(uids)} done")

    def pid(self, unit: str) -> int:
        """The main process of a service, as the machine itself counts."""
        return int(self.show(unit, "MainPID"))

    def drop_in(self, unit: str, text: str, *, name: str = "99-test") -> None:
        """Give a unit other settings until `forget_drop_ins`. They count from its next start on."""
        self.write(f"/run/systemd/system/{unit}.d/{name}.conf", text)

    def release(self) -> str:
        """The id of the current release."""
        return Path(self.sh("readlink /opt/atlas/current")).name
