"""How large files and functions may be. The figures are those of DESIGN.md."""

from __future__ import annotations

import ast

from tests.architecture.source import ROOT, functions, name, product_files, python_files, tree

FILE_LINES = 400
FUNCTION_LINES = 50
# file:function → why it is better in one piece. An entry that is not needed any more fails the test.
LONG_FUNCTIONS: dict[str, str] = {}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    first = function.body[0]
    is_doc = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    doc = (first.end_lineno or 0) - first.lineno + 1 if is_doc else 0
    return (function.end_lineno or 0) - function.lineno + 1 - doc


def test_no_file_is_longer_than_400_lines() -> None:
    long = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {path: lines for path, lines in long.items() if lines > FILE_LINES} == {}


def test_no_function_is_longer_than_50_lines_without_a_reason() -> None:
    long = {
        f"{name(path)}:{function}"
        for path in product_files()
        for function, node in functions(path)
        if length(node) > FUNCTION_LINES
    }
    assert long == set(LONG_FUNCTIONS)


def test_every_module_says_its_idea_in_its_first_line() -> None:
    without = [name(path) for path in python_files() if not (ast.get_docstring(tree(path)) or "").strip()]
    assert without == []


def test_packages_export_nothing_from_their_init() -> None:
    """One name, one place to import it from."""
    inits = [path for path in product_files() if path.name == "__init__.py"]
    assert [name(path) for path in inits if len(tree(path).body) != 1] == []
    folders = {path.parent for path in product_files()}
    assert [name(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
    assert ROOT.joinpath("pipeline", "__init__.py") in inits
