"""What is not measured is told, with its reason."""

from __future__ import annotations

import re
import tomllib

from tests.architecture.source import PACKAGES, ROOT, name, product_files

PRAGMA = re.compile(r"#\s*pragma: no (?:cover|branch)(?P<reason>.*)")


def test_no_line_is_left_out_without_a_reason_beside_it() -> None:
    bare = [
        f"{name(path)}:{number}"
        for path in product_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (found := PRAGMA.search(line)) and len(found["reason"].strip(" -:")) < 10
    ]
    assert bare == []


def test_all_packages_are_measured_with_their_branches_and_the_floors_stand() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["coverage"]
    assert (sorted(told["run"]["source"]), told["run"]["branch"]) == (sorted(PACKAGES), True)
    assert "omit" not in told["run"]
    assert "omit" not in told["report"]
    floors = (ROOT / "tools/cover.py").read_text(encoding="utf-8")
    assert "TOTAL: Final = 95.0\n" in floors
    assert "EACH: Final = 85.0\n" in floors
