"""A library for the commands to work on, to make well and to make sick."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import apsw
import trio

from pipeline.clock import SystemClock
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.store.status import ActorReport, RoleReport
from tests.store.hands import claim_all, page, run_through

T = TypeVar("T")
PAGE = 4096


class Past:
    """The machine's clock, so many seconds ago."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def wall_ms(self) -> int:
        return SystemClock().wall_ms() - round(self._seconds * 1000)

    def monotonic(self) -> float:
        return SystemClock().monotonic()


class Library:
    """A data folder, to make well and to make sick."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.atlas, self.archive = folder / "atlas.db", folder / "archive.db"

    def run(self, job: Callable[[Store], Awaitable[T]], *, seconds_ago: float = 0) -> T:
        async def go() -> T:
            settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
            async with open_store(*settings, folder=self.folder, clock=Past(seconds_ago)) as store:
                return await job(store)

        return trio.run(go)

    def sql(self, *statements: str) -> None:
        connection = apsw.Connection(str(self.atlas))
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def reports(self, role: str, *actors: ActorReport, seconds_ago: float = 0, has_stopped: bool = False) -> None:
        seen = Past(seconds_ago).wall_ms()
        stopped = seen if has_stopped else None
        report = RoleReport(
            role=role, boot="b", pid=7, started_at=seen - 60_000, seen_at=seen, stopped_at=stopped, actors=actors
        )
        self.run(lambda store: store.status.report(report))

    def accept(self, *, seconds_ago: float = 0) -> None:
        async def job(store: Store) -> None:
            await store.items.accept(page("https://example.org/a"))

        self.run(job, seconds_ago=seconds_ago)

    def keep(self, pages: int = 1, *, first: int = 0) -> None:
        """Pages that went all the way, with a body in the archive and words in the index."""

        async def job(store: Store) -> None:
            for n in range(first, first + pages):
                await store.items.accept(page(f"https://example.org/{n}"))
                (claim,) = await claim_all(store)
                await run_through(store, claim, text=f"text {n} " + f"word{n} " * 200)

        self.run(job)


class Told:
    """What the doctor said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def of(self, check: str) -> tuple[str, str, str]:
        """State, what was found, and what to do about it."""
        (each,) = [each for each in json.loads(self.out) if each["check"] == check]
        return each["state"], each["found"], each["advice"]

    @property
    def not_well(self) -> dict[str, str]:
        return {each["check"]: each["state"] for each in json.loads(self.out) if each["state"] != "ok"}


def root_of(path: Path, name: str) -> int:
    """The first page of a table or an index, counted from 1."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    root: int = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).get
    connection.close()
    return root


def damage(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * PAGE)
