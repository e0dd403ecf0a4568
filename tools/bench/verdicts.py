"""`just bench verdicts`: what validation refuses, rightly and wrongly, by code; and how far alike pages stand apart."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from stages.text.look import look
from tests import corpus
from tests.unit.stages.text.judged import judged, sample_site
from tests.unit.stages.text.pages.articles import ARTICLES
from tests.unit.stages.text.pages.heldout import HELD_OUT_ARTICLES, HELD_OUT_REFUSED, MISSED
from tests.unit.stages.text.pages.page import Sample
from tests.unit.stages.text.pages.refused import REFUSED
from tests.unit.stages.text.separation import separation
from tools.bench.run import complain, say

WITHDRAWN = "/articles/withdrawn"  # the sample site's soft 404


def main(arguments: list[str] | None = None) -> int:
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    real = [Sample(name=page.name, content=page.content) for page in _corpus()]
    site = sample_site()
    positives = (*REFUSED, *(page for page in site if page.name == WITHDRAWN))
    negatives = (*ARTICLES, *(page for page in site if page.name != WITHDRAWN), *real)
    missed = _table([(page, page.code or "soft_404") for page in positives], negatives)
    for name, pages in (("articles", ARTICLES), ("sample site", site), ("corpus", real)):
        accused = [page.name for page in pages if judged(page).code and page.name != WITHDRAWN]
        say(f"{name}: {len(pages)} pages, {len(accused)} wrongly accused {' '.join(accused)}".rstrip())
        missed += accused
    missed += _held_out()
    if real:
        _times(real)
        _separation()
    for name in missed:
        complain(f"not met: {name}")
    return 1 if missed else 0


def _corpus() -> list[corpus.Page]:
    if not corpus.FOLDER.is_dir():
        complain("the corpus ../shared/corpus/pages is not beside the repository: measured without it")
        return []
    return corpus.pages()


def _table(positives: Sequence[tuple[Sample, str]], negatives: Iterable[Sample]) -> list[str]:
    """Print precision and recall by code. A refusal with another code is a miss of one and a false hit of the other."""
    wanted, hits, told = Counter[str](), Counter[str](), Counter[str]()
    missed = []
    for page, code in positives:
        found = judged(page).code
        wanted[code] += 1
        told[found or "passed"] += 1
        hits[code] += found == code
        if found != code:
            missed.append(f"{page.name}: {code} expected, {found or 'passed'} found")
    told.update(code for page in negatives if (code := judged(page).code))
    say(f"{'code':<12} {'pages':>5} {'found':>5} {'precision':>9} {'recall':>7}")
    for code in sorted(wanted):
        precision = hits[code] / told[code] if told[code] else 0.0
        say(f"{code:<12} {wanted[code]:>5} {hits[code]:>5} {precision:>9.3f} {hits[code] / wanted[code]:>7.3f}")
    refused = sum(count for code, count in told.items() if code != "passed")
    total, right = sum(wanted.values()), sum(hits.values())
    say(f"{'all':<12} {total:>5} {right:>5} {right / max(1, refused):>9.3f} {right / total:>7.3f}")
    return missed


def _held_out() -> list[str]:
    """Print the figures of the pages that were written before their rules were read; return what is new of misses."""
    told = {page.name: judged(page).code for page in HELD_OUT_REFUSED}
    missed = [page.name for page in HELD_OUT_REFUSED if told[page.name] != page.code]
    accused = [page.name for page in HELD_OUT_ARTICLES if judged(page).code]
    right, refused = len(told) - len(missed), sum(code is not None for code in told.values())
    precision = right / max(1, refused + len(accused))
    say(
        f"held out: {len(told)} pages, {right} told by their own code, {refused} refused by any: "
        f"precision {precision:.3f}, recall {right / len(told):.3f}; "
        f"{len(HELD_OUT_ARTICLES)} articles, {len(accused)} wrongly accused"
    )
    return [name for name in missed if name not in MISSED] + accused


def _times(pages: Sequence[Sample]) -> None:
    looks, whole = [], []
    for page in pages:
        started = time.perf_counter()
        look(page.content, url=page.final, media_type="text/html", charset=None)
        looked = time.perf_counter()
        judged(page)
        looks.append(1000 * (looked - started))
        whole.append(1000 * (time.perf_counter() - looked))
    judging = statistics.mean(whole) - statistics.mean(looks)
    mean, median = statistics.mean(looks), statistics.median(looks)
    say(f"corpus: a look takes {mean:.1f} ms (median {median:.1f}), judging {judging:.1f} ms")


def _separation() -> None:
    for name, title, slug in (("title", True, False), ("slug", False, True), ("both", True, True)):
        found = separation(corpus.pages(), title=title, slug=slug)
        own, others = statistics.median(found.own), statistics.median(found.others)
        say(
            f"likeness by {name}: to its own page at least {found.own[0]:.2f} "
            f"(median {own:.2f}, {len(found.own)} pages), to another at most {found.others[-1]:.2f} "
            f"(median {others:.2f}, {len(found.others)} pairs); "
            f"set type at least {found.synthetic[0]:.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
