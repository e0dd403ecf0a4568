"""What commands print on a terminal; in a pipe it is in the commands' own tests."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest

from supervisor.commands import output


class Terminal(io.StringIO):
    """What was printed, without colours."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.getvalue()).splitlines()]


@contextmanager
def terminal() -> Iterator[Terminal]:
    """Standard output and error are one terminal."""
    shown = Terminal()
    with redirect_stdout(shown), redirect_stderr(shown):
        yield shown


@pytest.fixture(autouse=True)
def _sixty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")


def test_a_table_has_its_heading_and_markup_in_foreign_text_is_text() -> None:
    with terminal() as shown:
        output.table(("ID", "TITLE"), [("1", "[bold]Title[/bold]"), ("2", None), ("3", "a\x1b[31m\nb")])
    told = shown.lines()
    assert told[1].split() == ["ID", "TITLE"]
    assert "[bold]Title[/bold]" in told[3]
    assert "\\x1b[31m" in "".join(told)


def test_an_empty_table_says_that_there_is_nothing() -> None:
    with terminal() as shown:
        output.table(("ID",), [])
    assert shown.lines() == ["(none)"]


def test_in_a_checklist_what_is_longer_than_a_line_stays_in_its_column() -> None:
    rows = [
        ("ok", "schema", "atlas 5", ""),
        ("warning", "backup", "the last one is from yesterday, and that is a day and a half ago", "atlas backup"),
        ("failing", "worker", "none", "start it"),
    ]
    with terminal() as shown:
        output.checklist(rows)
    told = shown.lines()
    assert told[0].split() == ["ok", "schema", "atlas", "5"]
    (second,) = [at for at, line in enumerate(told) if line.startswith("warning")]
    column = told[second].index("the last")
    assert told[second + 1][:column].strip() == ""
    assert told[second + 1][column] != " "
    assert any(line.strip() == "→ atlas backup" for line in told)
    assert any(line.startswith("FAIL") for line in told)


def test_much_work_gets_a_bar_on_a_terminal_and_little_work_none() -> None:
    for total in (output.FEW, output.FEW - 1):
        with terminal() as shown, output.progress("replaying", total) as advance:
            for _ in range(total):
                advance()
        assert any("replaying" in line for line in shown.lines()) == (total == output.FEW)


def test_in_a_pipe_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("replaying", 1000) as advance:
        advance()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "told"), [(None, "-"), (-5, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (800_000, "9 d")]
)
def test_how_long_ago_is_told_in_the_largest_unit_that_tells_enough(seconds: int | None, told: str) -> None:
    now = 10**12
    assert output.ago(now, None if seconds is None else now - 1000 * seconds) == told
