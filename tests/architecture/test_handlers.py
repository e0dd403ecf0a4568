"""Where everything may be caught: the edges of a process, each with its reason."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import functions, name, product_files

# file:function → why the exception cannot be named there. An entry that is not needed any more fails the test.
BROAD = {
    "observability/outlet.py:Outlet.emit": "a value whose text cannot be had costs its line, not its caller",
    "observability/redact.py:error": "whoever tells of an error must not fail by it",
    "pipeline/flow/actor.py:Actor._commit": "a stage may return what no database takes; it fails that one item",
    "pipeline/flow/actor.py:Actor._judge": "a stage may raise anything; it becomes the outcome of one item",
    "pipeline/store/writer.py:Writer._commit": "whoever waits for the commit gets the error, whatever it is",
    "pipeline/store/writer.py:_in_savepoint": "an operation's error is its caller's, not its neighbours'",
    "stages/parse/child.py:_attempt": "a library's bug on one page is that page's failure",
    "supervisor/api.py:_for_ever": "that the work cannot be told of ends no request",
    "supervisor/wiring.py:_role": "whatever ends a role is told and kept under its error id",
    "supervisor/place.py:Place._live": "whatever a child raises is a crash of that child",
}


def broad(path: Path) -> Iterator[str]:
    """`except:`, `except Exception` and `except BaseException`, but those whose last word is a `raise` of their own."""
    for function, node in functions(path):
        for handler in _own_handlers(node):
            names = (
                {part.id for part in ast.walk(handler.type) if isinstance(part, ast.Name)} if handler.type else set()
            )
            if (not names or names & {"Exception", "BaseException"}) and not isinstance(handler.body[-1], ast.Raise):
                yield f"{name(path)}:{function}"


def _own_handlers(function: ast.AST) -> Iterator[ast.ExceptHandler]:
    """The handlers of a function without those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(child, ast.ExceptHandler):
            yield child
        yield from _own_handlers(child)


def test_everything_is_caught_only_at_the_listed_edges() -> None:
    found = Counter(place for path in product_files() for place in broad(path))
    assert dict(found) == dict.fromkeys(BROAD, 1)
