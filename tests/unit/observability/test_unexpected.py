"""Unexpected errors: the id of a fault, and the ledger that counts until somebody keeps."""

from __future__ import annotations

import re
from types import CodeType

import pytest

from observability.unexpected import DIFFERENT_MOST, MESSAGE_MOST, TRACEBACK_MOST, Ledger, Unexpected, error_id

ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{8}")


def raised(code: str, *, path: str = "/srv/atlas/stages/extract.py", line: int = 1, **names: object) -> Exception:
    """What a file of this path raises by this code, which begins at that line."""
    compiled: CodeType = compile("\n" * (line - 1) + code, path, "exec")
    try:
        exec(compiled, dict(names))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is asked for
        return error
    raise AssertionError


def function(name: str, body: str) -> str:
    return f"def {name}():\n    {body}\n{name}()"


WRONG = function("title", 'raise ValueError("row 1")')


# The id


def test_an_id_is_eight_letters_that_can_be_read_over_the_telephone() -> None:
    assert ID.fullmatch(error_id(raised(WRONG)))


@pytest.mark.parametrize(
    "same",
    [
        raised(function("title", 'raise ValueError("row 2 of another item")')),
        raised(WRONG, line=40),
        raised(WRONG, path="/elsewhere/checkout/stages/extract.py"),
        raised(WRONG, path="C:\\atlas\\stages\\extract.py"),
    ],
    ids=["another message", "another line", "another checkout", "another system"],
)
def test_an_id_stays_the_same(same: Exception) -> None:
    assert error_id(same) == error_id(raised(WRONG))


@pytest.mark.parametrize(
    "other",
    [
        raised(function("title", 'raise KeyError("row 1")')),
        raised(function("author", 'raise ValueError("row 1")')),
        raised(WRONG, path="/srv/atlas/stages/enrich.py"),
        raised(function("outer", 'def title():\n        raise ValueError("row 1")\n    title()')),
        raised(function("title", 'raise ValueError("row 1") from KeyError("x")')),
        raised(function("title", 'try:\n        {}["x"]\n    except KeyError:\n        raise ValueError("row 1")')),
    ],
    ids=["type", "function", "file", "way there", "cause", "context"],
)
def test_an_id_differs_by(other: Exception) -> None:
    assert error_id(other) != error_id(raised(WRONG))


def test_a_context_that_was_taken_back_does_not_count() -> None:
    hidden = function(
        "title", 'try:\n        {}["x"]\n    except KeyError:\n        raise ValueError("row 1") from None'
    )
    assert error_id(raised(hidden)) == error_id(raised(WRONG))


def test_an_error_that_is_its_own_cause_has_an_id_too() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert ID.fullmatch(error_id(first))


def test_an_error_that_was_never_raised_has_an_id_too() -> None:
    assert ID.fullmatch(error_id(ValueError("never raised")))


@pytest.mark.parametrize("depth", [1, 7])
def test_errors_in_a_group_are_told_apart_by_what_is_in_it(depth: int) -> None:
    def grouped(error: Exception) -> Exception:
        for _ in range(depth):
            error = ExceptionGroup("tasks", [error])
        return error

    assert error_id(grouped(ValueError("a"))) == error_id(grouped(ValueError("b")))
    assert error_id(grouped(ValueError("a"))) != error_id(grouped(KeyError("a")))


# The ledger


def ledger(clock: list[int] | None = None) -> Ledger:
    times = clock or [1000]
    return Ledger(lambda: times[0])


def test_the_same_fault_is_one_entry_that_counts_and_knows_when_it_was_first_and_last_met() -> None:
    now = [1000]
    met = ledger(now)
    first = met.note(raised(WRONG), place="stage.extract", item="A", correlation_id="r-1")
    now[0] = 5000
    assert met.note(raised(WRONG, line=7), place="stage.extract", item="B", correlation_id="r-2") == first
    (found,) = met.take()
    assert (found.id, found.count, found.first_seen, found.last_seen) == (first, 2, 1000, 5000)
    assert (found.kind, found.message, found.place) == ("ValueError", "row 1", "stage.extract")
    assert (found.item, found.correlation_id) == ("B", "r-2")
    assert "in title" in found.traceback
    assert found.traceback.endswith("ValueError: row 1\n")
    assert met.take() == ()


def test_a_class_of_ours_is_named_with_its_module() -> None:
    met = ledger()
    met.note(raised("raise Odd('x')", Odd=type("Odd", (Exception,), {"__module__": "stages.odd"})), place="p")
    assert met.take()[0].kind == "stages.odd.Odd"


def test_more_than_so_many_different_faults_have_ids_and_are_not_kept() -> None:
    met = ledger()
    ids = [met.note(raised(function(f"f{n}", 'raise ValueError("x")')), place="p") for n in range(DIFFERENT_MOST + 5)]
    assert len(set(ids)) == DIFFERENT_MOST + 5
    assert met.note(raised(function("f0", 'raise ValueError("x")')), place="p") == ids[0]
    taken = met.take()
    assert [each.id for each in taken] == ids[:DIFFERENT_MOST]
    assert taken[0].count == 2


def test_what_is_put_back_adds_to_what_came_meanwhile() -> None:
    now = [1000]
    met = ledger(now)
    met.note(raised(WRONG), place="before")
    met.note(raised(WRONG), place="before")
    taken = met.take()
    now[0] = 2000
    met.note(raised(WRONG), place="after")
    met.put_back(taken)
    (found,) = met.take()
    assert (found.count, found.first_seen, found.last_seen, found.place) == (3, 1000, 2000, "after")


def test_what_is_put_back_alone_is_as_it_was_and_goes_on_counting() -> None:
    met = ledger()
    met.note(raised(WRONG), place="p")
    taken = met.take()
    met.put_back(taken)
    met.note(raised(WRONG), place="p")
    assert [each.count for each in met.take()] == [2]


def test_what_is_put_back_leaves_the_ledger_bounded() -> None:
    met = ledger()
    for n in range(DIFFERENT_MOST):
        met.note(raised(function(f"f{n}", 'raise ValueError("x")')), place="p")
    taken = met.take()
    for n in range(10):
        met.note(raised(function(f"g{n}", 'raise ValueError("x")')), place="p")
    met.put_back(taken)
    assert len(met.take()) == DIFFERENT_MOST


def noted(error: Exception) -> Unexpected:
    met = ledger()
    met.note(error, place="p")
    return met.take()[0]


def test_secrets_are_in_neither_message_nor_traceback() -> None:
    found = noted(raised(function("ask", 'raise OSError("https://me:hunter2@host/?api_key=hunter2&q=1")')))
    assert found.message == "https://***@host/?api_key=***&q=1"
    assert "hunter2" not in found.traceback


def test_a_message_has_an_end_and_of_a_traceback_the_end_is_kept() -> None:
    found = noted(raised(function("ask", 'raise ValueError("x" * 100_000 + "the last word")')))
    assert len(found.message) == MESSAGE_MOST
    assert len(found.traceback) <= TRACEBACK_MOST + 2
    assert found.traceback.startswith("…\n")
    assert found.traceback.endswith("the last word\n")


def test_a_message_that_cannot_be_written_as_it_is_can_be_kept() -> None:
    found = noted(raised(function("ask", r'raise ValueError("a \udc80 letter \0 alone")')))
    for text in (found.message, found.traceback):
        assert "\0" not in text
        text.encode()


def test_an_error_that_cannot_say_what_it_is_is_noted_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert noted(raised("raise Mute", Mute=Mute)).kind.endswith("Mute")
