"""Selections as SQL: a condition on `items i` with what is bound to it."""

from __future__ import annotations

from itertools import groupby
from typing import Final, assert_never

from pipeline.selection import Key, Selection, Term
from pipeline.store.rows import SqlValue

Condition = tuple[str, tuple[SqlValue, ...]]


_EQUAL: Final = {
    Key.ERROR: "json_extract(i.reason, '$.code') = ?",
    Key.STATE: "i.state = ?",
    Key.VERDICT: "i.verdict = ?",
    Key.TAG: "i.id IN (SELECT item_id FROM tags WHERE tag = ?)",
}


def condition(selection: Selection, now: int) -> Condition:
    """Alternatives of one key in one bracket; every bracket and every negated term must hold. `now` in wall ms."""
    wanted = sorted((term for term in selection.terms if not term.negated), key=lambda term: list(Key).index(term.key))
    parts: list[str] = []
    values: list[SqlValue] = []
    for _key, terms in groupby(wanted, key=lambda term: term.key):
        either = [_term(term, now) for term in terms]
        parts.append("(" + " OR ".join(sql for sql, _bound in either) + ")")
        values += [value for _sql, bound in either for value in bound]
    for term in selection.terms:
        if term.negated:
            sql, bound = _term(term, now)
            parts.append(f"NOT coalesce({sql}, 0)")  # what has no host is not on that host either
            values += bound
    return " AND ".join(parts) or "TRUE", tuple(values)


def _term(term: Term, now: int) -> Condition:
    value = term.value
    match term.key:
        case Key.ERROR | Key.STATE | Key.VERDICT | Key.TAG:
            return _EQUAL[term.key], (value,)
        case Key.SITE:
            # Not LIKE: it would read a host's `_` as a wildcard.
            return "(i.host = ? OR substr(i.host, -length(?)) = ?)", (value, f".{value}", f".{value}")
        case Key.STAGE:
            first, _, last = value.partition("-")
            return "i.stage BETWEEN ? AND ?", (int(first), int(last or first))
        case Key.SOURCE:
            return "(i.source = ? OR substr(i.source, 1, length(?)) = ?)", (value, f"{value}:", f"{value}:")
        case Key.OLDER:
            return "i.changed_at <= ?", (now - int(value) * 1000,)
        case Key.NEWER:
            return "i.changed_at > ?", (now - int(value) * 1000,)
        case _:
            assert_never(term.key)
