"""Sketches: alike texts are seen as alike, in any script, and others are not."""

from __future__ import annotations

import random
import time

import pytest

from pipeline.text.sketch import BANDS, PERMUTATIONS, bands, likeness
from stages.text.fingerprint import WORDS_LEAST, fingerprint

WORDS = [f"word{number}" for number in range(3000)]
HAN = [chr(0x4E00 + number) for number in range(3000)]


def text(units: list[str], seed: int, joint: str, count: int = 600) -> list[str]:
    return random.Random(seed).choices(units, k=count)


def share(one: list[str], other: list[str], joint: str) -> float:
    first, second = fingerprint(joint.join(one)), fingerprint(joint.join(other))
    assert first is not None
    assert second is not None
    return likeness(first, second)


@pytest.mark.parametrize(("units", "joint"), [(WORDS, " "), (HAN, "")], ids=["words", "characters"])
def test_the_likeness_is_the_share_of_runs_in_common(units: list[str], joint: str) -> None:
    whole = text(units, 1, joint)
    longer = whole + text(units, 2, joint, 150)
    assert share(whole, whole, joint) == 1.0
    assert share(whole, longer, joint) == pytest.approx(0.8, abs=0.15)
    assert share(whole, whole[:420], joint) == pytest.approx(0.7, abs=0.15)
    assert share(whole, text(units, 3, joint), joint) < 0.1


def test_case_space_and_width_make_no_difference() -> None:
    plain = " ".join(WORDS[:100])
    assert fingerprint(plain) == fingerprint(plain.upper().replace(" ", "\n\u3000"))


@pytest.mark.parametrize(("unit", "joint"), [("word", " "), ("字", "")])
def test_a_short_text_has_no_sketch(unit: str, joint: str) -> None:
    assert fingerprint(joint.join([unit] * (WORDS_LEAST - 1))) is None
    assert fingerprint(joint.join([unit] * WORDS_LEAST)) is not None


@pytest.mark.parametrize("hostile", ["", "\ud800" * 500, "\x00" * 500, "!" * 500])
def test_what_holds_no_words_has_no_sketch(hostile: str) -> None:
    assert fingerprint(hostile) is None


def test_the_sketch_is_the_one_that_older_releases_kept() -> None:
    """Kept sketches are compared with new ones. When this fails, the library counts otherwise: its version is in it."""
    made = fingerprint(" ".join(WORDS[:60]))
    assert made is not None
    assert len(made) == 1 + 4 * PERMUTATIONS
    assert made[:9].hex() == "02cc4cc4c084f84464"


def test_sketches_made_in_different_ways_are_not_compared() -> None:
    made = fingerprint(" ".join(WORDS[:60]))
    assert made is not None
    other = bytes([made[0] + 1]) + made[1:]
    assert likeness(made, other) == 0.0
    assert not set(bands(made)) & set(bands(other))


def test_there_are_32_bands_of_64_bits() -> None:
    made = fingerprint(" ".join(WORDS[:60]))
    assert made is not None
    assert len(set(bands(made))) == BANDS
    assert all(-(2**63) <= band < 2**63 for band in bands(made))


def test_a_megabyte_is_sketched_at_once() -> None:
    started = time.process_time()
    fingerprint("a b " * 250_000)
    fingerprint("字" * 300_000)
    assert time.process_time() - started < 3
