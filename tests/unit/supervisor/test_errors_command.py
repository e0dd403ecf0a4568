"""`atlas errors`: the unexpected errors as a list, and one with all that is known of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from observability.unexpected import Ledger
from supervisor.exits import Exit
from tests.unit.supervisor.library import Library, Past, Told

ITEM = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def errors(atlas: Callable[..., Told]) -> Callable[..., Told]:
    return lambda *arguments: atlas("errors", *arguments)


def meet(
    library: Library, error: Exception, place: str = "stage.extract", *, ago: float = 0, times: int = 1, **more: str
) -> str:
    """Meet an error so often; its id."""
    ledger = Ledger(Past(ago).wall_ms)
    with pytest.raises(type(error)) as raised:
        raise error
    (error_id,) = {ledger.note(raised.value, place=place, **more) for _ in range(times)}
    library.run(lambda store: store.mishaps.keep(ledger.take(), role="worker"))
    return error_id


def test_where_nothing_has_gone_wrong_the_list_is_empty_and_the_exit_code_0(
    library: Library, errors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = errors()
    assert (ran.code, ran.out, ran.err) == (Exit.OK, "ID\tTIMES\tLAST\tWHERE\tWHAT\n", "")
    assert json.loads(errors("--json").out) == {"errors": []}
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert errors().out == "(none)\n"


def test_errors_are_listed_with_how_often_when_and_where_the_last_first(library: Library, errors: Any) -> None:
    older = meet(library, ValueError("no title"), ago=7200, times=3)
    newer = meet(library, KeyError("x"), "request GET /items", ago=300)
    ran = errors()
    assert ran.code == Exit.OK
    assert ran.out.splitlines()[1:] == [
        f"{newer}\t1\t5 min ago\trequest GET /items\tKeyError: 'x'",
        f"{older}\t3\t2 h ago\tstage.extract\tValueError: no title",
    ]
    assert [each["id"] for each in json.loads(errors("--json").out)["errors"]] == [newer, older]


def test_a_longer_list_is_cut_and_says_so(library: Library, errors: Any) -> None:
    for kind in (KeyError, ValueError, TypeError):
        meet(library, kind("x"))
    ran = errors("--limit", "2")
    assert len(ran.out.splitlines()) == 3
    assert ran.err == "atlas: 3 in all, the last 2 shown\n"


def test_one_is_told_with_all_that_is_known_of_it_and_the_lines_of_its_traceback(library: Library, errors: Any) -> None:
    error_id = meet(library, ValueError("no title"), ago=7200, times=2, item=ITEM, correlation_id="req-1")
    meet(library, ValueError("no title"), ago=300, item=ITEM, correlation_id="req-2")
    ran = errors(error_id.lower())
    assert (ran.code, ran.err) == (Exit.OK, "")
    facts, _, traceback = ran.out.partition("\n\n")
    told = {line[:13].strip(): line[14:] for line in facts.splitlines()}
    assert told["id"] == error_id
    assert told["what"] == "ValueError: no title"
    assert told["where"] == "stage.extract, in the worker"
    assert told["times"] == "3"
    assert told["first seen"].endswith("Z, 2 h ago")
    assert told["last seen"].endswith("Z, 5 min ago")
    assert (told["item"], told["request"]) == (ITEM, "req-2")
    lines = traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: no title"
    assert json.loads(errors(error_id, "--json").out)["traceback"].rstrip("\n") == traceback.rstrip("\n")


def test_what_is_not_known_of_one_has_no_line(library: Library, errors: Any) -> None:
    told = errors(meet(library, ValueError())).out
    assert "\nitem" not in told
    assert "\nrequest" not in told
    assert "what          ValueError\n" in told


def test_no_message_or_traceback_steers_the_terminal(library: Library, errors: Any) -> None:
    error_id = meet(library, ValueError("\x1b[2J\u202e\rforged"))
    library.sql(
        "UPDATE errors SET message = message || char(27), traceback = traceback || char(27) || char(10) || 'end'"
    )
    for ran in (errors(), errors(error_id)):
        assert not {"\x1b", "\r", "\u202e"} & set(ran.out)
    assert errors(error_id).out.endswith("\\x1b\nend\n")


@pytest.mark.parametrize("error_id", ["NOSUCHID", "\udcff", ""])
def test_an_id_that_nobody_has_ends_with_1_and_one_line(library: Library, errors: Any, error_id: str) -> None:
    ran = errors(error_id)
    assert (ran.code, ran.out) == (Exit.FAILED, "")
    (line,) = ran.err.splitlines()
    assert "there is no error" in line
