"""Atlas installed on a booted systemd by the real recipe, and how tests speak with it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
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

    @contextmanager
    def altered(self, unit: str, *lines: str, restart: bool = True) -> Iterator[None]:
        """Give a unit other settings for the block, and start it anew before and after (with `restart`)."""
        place = f"/run/systemd/system/{unit}.d/99-test.conf"
        self.write(place, "\n".join([*lines, ""]))
        self.systemctl("daemon-reload")
        try:
            if restart:
                self.systemctl("restart", unit)
            yield
        finally:
            self.run("rm", place)
            self.systemctl("daemon-reload")
            self.systemctl("reset-failed", unit, check=False)
            if restart:
                self.systemctl("restart", unit)
                self.until_well()

    def faulty(self, fault: str, role: str, *lines: str) -> AbstractContextManager[None]:
        """A role with a fault of faulty_worker.py in the block, in the sandbox of its unit."""
        command = f"/opt/atlas/current/.venv/bin/python -P -m tests.test_reliability.faulty_worker {fault} {role}"
        other = ("[Service]", "ExecStart=", f"ExecStart={command}", "Environment=PYTHONPATH=/opt/atlas/current", *lines)
        return self.altered(f"atlas-{role}.service", *other)

    def serve(self, name: str, host: str, port: int, *properties: str) -> str:
        """Start a site inside whose every path is an article; its address."""
        told = [f"--property={each}" for each in ("WorkingDirectory=/srv/atlas", *properties)]
        self.run(
            "systemd-run",
            "--quiet",
            f"--unit={name}",
            *told,
            "/usr/bin/python3",
            "-m",
            "tests.systemd.site",
            host,
            str(port),
        )
        self.until(lambda: "serving" in self.journal("-u", name), seconds=15, what=name)
        return f"http://{host}:{port}"

    def release(self) -> str:
        """The id of the current release."""
        return Path(self.sh("readlink /opt/atlas/current")).name
