"""The corpus of real pages through the real roles: how many end where, and how good their texts and titles are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.justfile import JUST
from tools.bench.pages import corpus_pages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.corpus,
    pytest.mark.skipif(not corpus_pages(), reason="../shared/corpus/pages is not there"),
]


def test_the_corpus_ends_as_it_should_with_texts_and_titles_as_good_as_promised(root: Path) -> None:
    ran = subprocess.run([JUST, "corpus", "--json"], cwd=root, capture_output=True, text=True, timeout=300, check=False)
    told = json.loads(ran.stdout)
    print(told["summary"])
    bad = [page for page in told["pages"] if page["f1"] < 0.8 or not page["title_matches"]]
    assert (ran.returncode, told["missed"]) == (0, []), bad
