"""Roles as processes for the tests that kill them: started, known to be ready, killed, and a look into the store."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from supervisor.instance import Instance, Process
from tests.test_reliability.sizes import size

KILLS = size("KILLS", small=30, full=100)
SETTINGS = {
    "ATLAS_NET_ALLOW_NETWORKS": "127.0.0.1/32",
    "ATLAS_NET_PER_HOST": "32",
    "ATLAS_NET_PER_HOST_PER_SECOND": "10000",
    "ATLAS_RETRY_BASE_SECONDS": "0.1",
    "ATLAS_API_REQUESTS_PER_MINUTE": "1000000",
}


class Roles:
    """An api and a worker on one data folder, each of which may be killed and started again."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(folder / "notify"))
        told = {"NOTIFY_SOCKET": str(folder / "notify")}
        self.atlas = Instance(folder / "data", settings=SETTINGS | told | (settings or {}))
        self.atlas.data.mkdir(mode=0o700)
        self.atlas.token = self.atlas.command("token", "create", "--name", "test", "--scope", "admin").strip()
        self._running: list[Process] = []

    def start(self, role: str) -> Process:
        """Start a role and wait until it has said READY=1."""
        self._forget_notices()
        process = self.atlas.start(role)
        self._running.append(process)
        process.wait_for(self._said_ready, seconds=60, what="saying that it is ready")
        return process

    def start_faulty(self, fault: str, role: str = "worker") -> Process:
        """Start a role with a fault of faulty_worker.py, which may end it before it is ready."""
        arguments = ("tests.test_reliability.faulty_worker", fault, role)
        process = Process(*arguments, folder=self.atlas.data, settings=self.atlas.settings)
        self._running.append(process)
        return process

    def _forget_notices(self) -> None:
        while select.select([self._notices], [], [], 0)[0]:
            self._notices.recv(4096)

    def _said_ready(self) -> bool:
        while select.select([self._notices], [], [], 0)[0]:
            if b"READY=1" in self._notices.recv(4096).splitlines():
                return True
        return False

    def close(self) -> None:
        for process in self._running:
            if process.popen.poll() is None:
                process.kill()
        self._notices.close()

    def save(self, url: str) -> str:
        """Save a page over HTTP; its uid."""
        reply = self.atlas.ask("POST", "/api/v1/items", {"url": url})
        assert reply.status in {200, 202}, reply
        uid: str = reply.body["id"]
        return uid

    def ended(self, count: int) -> bool:
        """Whether nothing is queued and `count` items have ended."""
        if self.atlas.ask("GET", "/ready").body["queue_size"]:
            return False
        return sum(item["state"] in {"done", "duplicate", "dead"} for item in self.atlas.items()) == count

    def kill(self, process: Process) -> None:
        """kill -9 of this one process, not of its group: what it started must notice by itself."""
        os.kill(process.pid, 9)
        process.popen.wait(10)


@contextmanager
def roles(folder: Path, settings: dict[str, str] | None = None) -> Iterator[Roles]:
    made = Roles(folder, settings)
    with contextlib.closing(made):
        yield made


def sound(data: Path) -> None:
    """The database is whole, the counts are right, and nothing is left on the queue."""
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"))) as database:
        assert ask(database, "PRAGMA integrity_check") == [("ok",)]
        database.execute("INSERT INTO search (search) VALUES ('integrity-check')")
        assert ask(database, "SELECT count(*) FROM work WHERE item_id IS NOT NULL") == [(0,)]
        counted = "SELECT stage, state, n FROM counts WHERE n <> 0 ORDER BY stage, state"
        real = "SELECT stage, state, count(*) FROM items GROUP BY stage, state ORDER BY stage, state"  # none is deleted
        assert ask(database, counted) == ask(database, real)


def whole(data: Path, count: int) -> None:
    """Each of `count` items is done, was indexed and finished exactly once, and has exactly one row in the index."""
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"))) as database:
        ends = ask(database, "SELECT state, stage, count(*) FROM items GROUP BY state, stage")
        assert ends == [("done", 590, count)]
        steps = "SELECT item_id, code, count(*) AS n FROM steps WHERE code IN (540, 590) GROUP BY item_id, code"
        assert ask(database, f"SELECT code, count(*) FROM ({steps}) WHERE n = 1 GROUP BY code") == [
            (540, count),
            (590, count),
        ]
        assert ask(database, f"SELECT * FROM ({steps}) WHERE n <> 1") == []
        assert ask(database, "SELECT count(*), count(DISTINCT rowid) FROM search") == [(count, count)]
        assert ask(database, "SELECT id FROM items EXCEPT SELECT rowid FROM search") == []


def ask(database: apsw.Connection, query: str) -> list[Any]:
    return database.execute(query).fetchall()
