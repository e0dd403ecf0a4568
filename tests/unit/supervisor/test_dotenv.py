"""`.env` lines."""

from __future__ import annotations

import pytest

from supervisor.dotenv import parse


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("  A = b  ", "b"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A=b # a comment", "b"),
        ("A=http://host/#part", "http://host/#part"),
        ("A='b # $c \\n'", "b # $c \\n"),
        ("A='b' # a comment", "b"),
        ('A="b \\"c\\" \\\\ \\n # d"', 'b "c" \\ \n # d'),
        ("A=it's", "it's"),
        ("A=b=c", "b=c"),
    ],
)
def test_a_value_is_what_a_shell_would_make_of_it_but_nothing_is_expanded(line: str, value: str) -> None:
    assert parse(line, ".env") == ({"A": value}, [])


def test_comments_blank_lines_and_a_byte_order_mark_are_skipped_and_the_last_value_counts() -> None:
    assert parse("\ufeff# x\n\n A=1\r\nA=2\n", ".env") == ({"A": "2"}, [])


@pytest.mark.parametrize("line", ["A", "1A=b", "A B=c", "=b", "A='b", 'A="b', "A='b' c", 'A="b\\"'])
def test_a_broken_line_is_named_with_its_number_and_the_rest_is_read(line: str) -> None:
    values, faults = parse(f"GOOD=1\n{line}\n", ".env")
    assert values == {"GOOD": "1"}
    assert [fault.where for fault in faults] == [".env:2"]
