"""How well almost the same texts are found: precision and recall on edited articles, and the cost in a large library.

`python -m tools.bench.alike [--items 20000]`: the corpus of real pages where it is there, else the sample articles.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from pipeline.store import alike
from pipeline.store.migrate import migrate, migrations
from pipeline.text.sketch import PERMUTATIONS, sketch_of
from stages.text.fingerprint import fingerprint
from tools.bench.pages import CORPUS
from tools.bench.score import text_of

SHARES: Final = (0.01, 0.05, 0.1, 0.2, 0.3)
_SAMPLES: Final = Path(__file__).parents[1] / "sample" / "articles"
_MADE: Final = 0
_BOILERPLATE: Final = """
    We and our partners store information on a device , such as cookies . Sign up to our newsletter and get the best
    stories of the week in your inbox . All rights reserved . Share this article with your friends and followers .
"""

Edit = Callable[[list[str], float, list[str], random.Random], list[str]]


def paragraph(words: list[str], share: float, other: list[str], _random: random.Random) -> list[str]:
    """A paragraph of another article in front."""
    return other[: round(share * len(words))] + words


def names(words: list[str], share: float, _other: list[str], chance: random.Random) -> list[str]:
    """Some words replaced everywhere, until this share of the text is another."""
    counts = {word: words.count(word) for word in set(words)}
    left, changed = share * len(words), set()
    for word in chance.sample(sorted(counts), len(counts)):
        if counts[word] <= min(left, 8):
            changed.add(word)
            left -= counts[word]
    return [word + "x" if word in changed else word for word in words]


def truncated(words: list[str], share: float, _other: list[str], _random: random.Random) -> list[str]:
    return words[: round((1 - share) * len(words))]


def boilerplate(words: list[str], share: float, _other: list[str], _random: random.Random) -> list[str]:
    """What sites put round an article, this much of it."""
    said = _BOILERPLATE.split()
    return words + [f"{said[at % len(said)]}{at // len(said) or ''}" for at in range(round(share * len(words)))]


EDITS: Final[tuple[Edit, ...]] = (paragraph, names, truncated, boilerplate)


def articles() -> list[list[str]]:
    """The words of each article, those with a sketch only."""
    expected = sorted(CORPUS.glob("*.expected.html"))
    texts = [text_of(file.read_text("utf-8")) for file in expected] or [
        file.read_text("utf-8") for file in sorted(_SAMPLES.glob("*.txt"))
    ]
    different = {sketch: text.split() for text in texts if (sketch := fingerprint(text))}
    return list(different.values())


def library(sketches: list[bytes], folder: str) -> apsw.Connection:
    """A real schema on a disk, with one item that is done for each sketch: ids from 1."""
    conn = apsw.Connection(f"{folder}/atlas.db")
    migrate(conn, migrations("atlas"))
    with conn:
        for item_id, sketch in enumerate(sketches, start=1):
            keep(conn, item_id, sketch)
    return conn


def keep(conn: apsw.Connection, item_id: int, sketch: bytes) -> None:
    conn.execute(
        """INSERT INTO items (id, uid, kind, stage, state, source, created_at, changed_at, raised_at)
           VALUES (?, ?, 'note', 590, 'done', 'bench', 0, 0, 0)""",
        (item_id, str(item_id)),
    )
    alike.keep_sketch(conn, item_id, sketch)


def found() -> None:
    """Precision and recall, by kind and share of the edit; a find is right when it is the article that was edited."""
    originals, chance = articles(), random.Random(1)
    sketches = [fingerprint(" ".join(words)) or b"" for words in originals]
    with tempfile.TemporaryDirectory() as folder:
        conn = library(sketches, folder)
        twins = {at: {other for other, _ in alike.similar(conn, at, made)} for at, made in enumerate(sketches, start=1)}
        print(f"{len(originals)} articles, {sum(map(len, twins.values())) // 2} pairs of them alike as they are")
        right = wrong = missed = 0
        for edit in EDITS:
            row = []
            for share in SHARES:
                hits = 0
                for at, words in enumerate(originals, start=1):
                    text = " ".join(edit(words, share, originals[at % len(originals)], chance))
                    sketch = fingerprint(text)
                    got = {other for other, _ in alike.similar(conn, 10**9, sketch)} if sketch else set()
                    hits += at in got
                    wrong += len(got - {at} - twins[at])
                right, missed = right + hits, missed + len(originals) - hits
                row.append(f"{share:.0%}: {hits / len(originals):.3f}")
            print(f"  recall, {edit.__name__:<12} {'  '.join(row)}")
        print(f"  precision {right / (right + wrong):.4f}, recall {right / (right + missed):.4f}")
        conn.close()


def cost(items: int) -> None:
    """Milliseconds for one more item in a library in which every item shares a band with all others."""
    chance = random.Random(2)
    shared = chance.choices(range(2**32), k=4)
    with tempfile.TemporaryDirectory() as folder:
        conn, taken = library([], folder), []
        conn.execute("BEGIN")
        for item_id in range(1, items + 1):
            sketch = sketch_of(_MADE, [*shared, *chance.choices(range(2**32), k=PERMUTATIONS - 4)])
            started = time.perf_counter()
            keep(conn, item_id, sketch)
            taken.append((time.perf_counter() - started) * 1000)
        conn.execute("COMMIT")
        size = int(str(conn.execute("SELECT sum(pgsize) FROM dbstat WHERE name IN ('bands', 'sketches')").get))
        conn.close()
    first, last = statistics.median(taken[:1000]), statistics.median(taken[-1000:])
    print(f"{items} items: first 1000 {first:.2f} ms, last 1000 {last:.2f} ms each; {size / items:.0f} bytes an item")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    wanted = parser.parse_args()
    found()
    cost(wanted.items)
