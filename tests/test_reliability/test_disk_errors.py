"""F6: the Nth thing asked of the disk fails, once or from then on, for every N until none is left to fail."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from random import Random

import apsw
import pytest

from pipeline import errors
from tests.store.faulty_disk import FaultyDisk, faulty_disk
from tests.store.workload import Ledger, checkpointed_early, ends_well, held_to, index_is_whole, opened, work
from tests.test_reliability.repeatable import repeatably
from tests.test_reliability.sizes import figure, size

pytestmark = pytest.mark.fault

STRIDE = size("STRIDE", small=13, full=1)  # of the things that may fail every how many-th does
SAVES = 2  # by each person: a life of some hundred writes
FULL_FOR = 7  # writes that find the disk full before there is room again
WHAT = {
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "open": apsw.SQLITE_CANTOPEN,
    "delete": apsw.SQLITE_IOERR_DELETE,
    "lock": apsw.SQLITE_IOERR_LOCK,
}


class Fault:
    """Fails the things of one kind whose turn is in `turns`."""

    def __init__(self, what: str, code: int, turns: range) -> None:
        self._what = what
        self._code = code
        self._turns = turns
        self.count = 0
        self.struck: list[str] = []  # the files it failed on

    def __call__(self, what: str, name: str) -> None:
        if what != self._what:
            return
        self.count += 1
        if self.count in self._turns:
            self.struck.append(name)
            raise apsw.exception_for(self._code)


class Life:
    """A store at work on a disk with one fault, then the same files on a sound disk."""

    def __init__(self, disk: FaultyDisk, data: Path, fault: Fault) -> None:
        self._disk = disk
        self._data = data
        self._fault = fault
        self._dice = Random(1)
        self.ledger = Ledger()
        self.opened = False
        self.closing = False
        self.ended_by: list[BaseException] = []
        self.struck_in_use: list[str] = []

    def run(self) -> list[str]:
        """What is wrong in the end."""
        self._disk.on_any = self._fault
        try:
            repeatably(self._dice, self._live)
        except (errors.StoreError, BaseExceptionGroup) as error:
            self.ended_by = list(_alone(error))
        self._disk.on_any = lambda _what, _name: None
        try:
            return repeatably(self._dice, self._look)
        except errors.StoreError as error:
            return [f"it cannot be used: {error.message}"]

    async def _live(self) -> None:
        with checkpointed_early() as connections:
            async with opened(self._data, self._dice) as store:
                self.opened = True
                already = len(self._fault.struck)
                try:
                    await work(store, self.ledger, self._dice, connections, saves=SAVES)
                finally:
                    self.struck_in_use = self._fault.struck[already:]

    async def _look(self) -> list[str]:
        async with opened(self._data, self._dice) as store:
            wrong = await held_to(store, self.ledger)
            await index_is_whole(store)
            states = await ends_well(store, self.ledger)
            return wrong + [f"{n} are left {state}" for state, n in states.items() if state not in {"done", "dead"}]


def _alone(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _alone(one)
    elif isinstance(error, errors.StoreError):
        yield error
    else:
        raise error


def lives(
    disk: FaultyDisk, folder: Path, what: str, code: int, length: int | None
) -> Iterator[tuple[int, Life, Fault]]:
    """A life for each N, `length` failures long (None: for ever), until a life ends before its Nth."""
    stride = STRIDE if what in {"read", "write"} else -(-STRIDE // 4)  # of the others there are few
    for number in itertools.count(1, stride):
        fault = Fault(what, code, range(number, 1 << 40 if length is None else number + length))
        life = Life(disk, folder / f"{what}-{length}-{number}", fault)
        yield number, life, fault
        if fault.count < number:
            return


@pytest.mark.parametrize("length", [1, None], ids=["once", "for ever"])
@pytest.mark.parametrize("what", WHAT)
def test_whatever_the_disk_refuses_nothing_is_damaged_and_nothing_answered_is_lost(
    tmp_path: Path, what: str, length: int | None
) -> None:
    tried, said, wrong = 0, 0, {}
    with faulty_disk() as disk:
        for number, life, fault in lives(disk, tmp_path, what, WHAT[what], length):
            found = life.run()
            tried += bool(fault.struck)
            said += life.ledger.said
            if (
                life.struck_in_use
                and what == "sync"
                and not any(isinstance(e, errors.StoreBroken) for e in life.ended_by)
            ):
                found.append(f"a failed sync of {life.struck_in_use} and the store went on")
            if found:
                wrong[number] = found
    figure(
        "F6", f"{what} fails {'once' if length else 'for ever'}: {tried} faults, {said} acknowledged, {len(wrong)} bad"
    )
    assert wrong == {}
    assert tried > 0


def test_a_disk_that_is_full_for_a_while_ends_no_store_and_loses_nothing(tmp_path: Path) -> None:
    tried, wrong = 0, {}
    with faulty_disk() as disk:
        for number, life, _fault in lives(disk, tmp_path, "write", apsw.SQLITE_FULL, FULL_FOR):
            found = life.run()
            tried += bool(life.struck_in_use)
            if life.opened and life.ended_by:
                found.append(f"it ended: {life.ended_by}")
            if not life.opened and not any(isinstance(error, errors.StoreFull) for error in life.ended_by):
                found.append(f"it did not open, and not because the disk is full: {life.ended_by}")
            if found:
                wrong[number] = found
    figure("F6", f"full at the Nth write: {tried} faults, {len(wrong)} bad")
    assert wrong == {}
    assert tried > 0
