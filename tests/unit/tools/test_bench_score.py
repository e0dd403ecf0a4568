"""The figures that the benches report."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tools.bench import processes
from tools.bench.corpus import shortfalls
from tools.bench.memory import figures
from tools.bench.score import same_title, text_of, word_f1


def test_equal_texts_score_one_and_strangers_nothing() -> None:
    assert word_f1("The rain, the rain!", "the RAIN the rain") == 1.0
    assert word_f1("rain", "snow") == 0.0
    assert word_f1("", "") == 0.0


def test_half_of_the_words_is_two_thirds() -> None:
    assert word_f1("one two", "one two three four") == pytest.approx(2 / 3)


def test_words_count_as_often_as_they_stand() -> None:
    assert word_f1("rain rain", "rain") == pytest.approx(2 / 3)


def test_the_expected_text_is_the_page_without_its_tags() -> None:
    assert text_of("<div><p>One <b>two</b></p><p>three</p></div>").split() == ["One", "twothree"]


def test_titles_are_equal_but_for_white_space() -> None:
    assert same_title(" A\n title ", "A title")
    assert not same_title("A title", "Another title")
    assert same_title(None, "")


def test_the_corpus_run_names_everything_that_is_not_met() -> None:
    met = {"done": 38, "duplicates": 3, "mean_f1": 0.91, "titles": 36}
    assert shortfalls(met) == []
    assert len(shortfalls({"done": 37, "duplicates": 4, "mean_f1": 0.9, "titles": 35})) == 4


def test_memory_figures_are_in_mebibytes() -> None:
    found = figures([1024, 4096, 2048])
    assert (found.start, found.peak, found.end) == (1.0, 4.0, 2.0)
    assert found.quarters == (1.0, 4.0, 2.0)


def test_children_and_their_memory_are_seen_and_the_dead_are_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in processes.children(os.getpid())
        assert processes.resident(child.pid) > 0
        assert processes.is_alive(child.pid)
    finally:
        child.kill()
        child.wait()
        assert child.stdin is not None
        child.stdin.close()
    assert not processes.is_alive(child.pid)
    assert processes.resident(child.pid) == 0
