"""A real role with one fault built in, for tests: `python -m tests.test_reliability.faulty_worker FAULT worker`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import apsw
from quart import Quart, request

from gateway.deps import Deps
from pipeline.flow.actor import Actor
from pipeline.flow.notebook import Notebook
from pipeline.stage import StageContext
from pipeline.work import Claim, Outcome
from stages.net.guard import Guard
from stages.validate import Validate
from supervisor import wiring
from supervisor.cli import main
from tests.store.faulty_disk import FaultyDisk

POISON = "/p/13"  # the end of the URL that kills
DISK_FAILS = "disk-fails"  # a file of this name in the data folder breaks the disk
_CODES = {"read": apsw.SQLITE_IOERR_READ, "write": apsw.SQLITE_IOERR_WRITE, "sync": apsw.SQLITE_IOERR_FSYNC}


def dies_of_poison() -> None:
    """The worker process itself dies while it validates a poisoned page, as of a fault in a C library."""
    validate = Validate.handle

    async def handle(self: Validate, claim: Claim, ctx: StageContext) -> Outcome:
        if claim.item is not None and str(claim.item.url).endswith(POISON):
            os.kill(os.getpid(), signal.SIGSEGV)
        return await validate(self, claim, ctx)

    Validate.handle = handle  # type: ignore[method-assign]


def crashes_in_extract() -> None:
    """The loop of one actor, not its stage, raises on each claim: a bug of the flow itself."""
    judge = Actor._judge

    async def _judge(self: Actor, claim: Claim, notes: Notebook) -> Outcome:
        if self.spec.name == "extract":
            raise RuntimeError("a bug in the actor's loop")
        return await judge(self, claim, notes)

    Actor._judge = _judge  # type: ignore[method-assign]


def breaks_at_start() -> None:
    """The role itself ends by an exception that nobody expected."""

    async def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("a bug in the start, breaks_at_start")

    wiring.supervise = broken  # type: ignore[assignment]


def disk_fails() -> None:
    """Each read, write and sync of a database says EIO for as long as DISK_FAILS is there."""
    switch = Path(os.environ["ATLAS_DATA_DIR"], DISK_FAILS)

    def fail(what: str, _name: str) -> None:
        if what in _CODES and switch.exists():
            raise apsw.exception_for(_CODES[what])

    DISKS.append(FaultyDisk())
    DISKS[-1].on_any = fail


def burns_cpu_once() -> None:
    """The first time it validates a poisoned page, it computes for ever and gives nobody a turn."""
    validate, flag = Validate.handle, Path(os.environ["ATLAS_DATA_DIR"], "burnt")

    def burn_the_first_time() -> None:
        if not flag.exists():
            flag.touch()
            while True:
                pass

    async def handle(self: Validate, claim: Claim, ctx: StageContext) -> Outcome:
        if claim.item is not None and str(claim.item.url).endswith(POISON):
            burn_the_first_time()
        return await validate(self, claim, ctx)

    Validate.handle = handle  # type: ignore[method-assign]


def hangs_when_asked() -> None:
    """A request for /hang blocks the api's event loop for ever."""
    from supervisor import api

    create_app = api.create_app

    def create(deps: Deps) -> Quart:
        app = create_app(deps)

        @app.before_request
        async def hang() -> None:
            if request.path == "/hang":
                threading.Event().wait()

        return app

    api.create_app = create


def dials_everything() -> None:
    """Nobody looks which addresses are dialled."""
    Guard._denial = lambda _self, _address: None  # type: ignore[method-assign, return-value, assignment]


DISKS: list[FaultyDisk] = []  # SQLite uses a disk only for as long as somebody holds it
FAULTS = {
    fault.__name__: fault
    for fault in (
        dies_of_poison,
        crashes_in_extract,
        breaks_at_start,
        disk_fails,
        burns_cpu_once,
        hangs_when_asked,
        dials_everything,
    )
}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
