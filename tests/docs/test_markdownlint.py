"""The form of the pages, judged by markdownlint: `markdownlint *.md`, with the version that is named here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.docs.documents import ROOT

LINTER = "markdownlint-cli2@0.22.0"  # the last to run on Node 20


@pytest.mark.slow
def test_markdownlint_has_nothing_to_say_about_any_page() -> None:
    """What is linted and by which rules stands in .markdownlint-cli2.jsonc."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("npx is not installed (Debian: apt install npm)")
    ran = subprocess.run(
        [npx, "--yes", LINTER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if ran.returncode not in (0, 1) and "npm error" in ran.stderr:
        pytest.skip(f"npx could not get {LINTER}: {ran.stderr.splitlines()[0]}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
