"""`just corpus`: the real pages through the real roles; how each ended, and how near its text is to the wanted one."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from supervisor.instance import Instance, InstanceError
from tools.bench.pages import CORPUS, corpus_pages
from tools.bench.run import SETTINGS, bench_site, complain, keep, say, wait_until_ended, workplace
from tools.bench.score import same_title, text_of, word_f1

DONE: Final = 38
DUPLICATES: Final = 3
MEAN_F1: Final = 0.91
TITLES: Final = 36


@dataclass(frozen=True, kw_only=True)
class Scored:
    name: str
    stage: int
    state: str
    verdict: str | None
    f1: float
    title_matches: bool
    title: str | None
    expected_title: str | None


def measure(*, seconds: float = 180.0) -> list[Scored]:
    """Ingest the whole corpus and score every page."""
    with (
        workplace() as folder,
        bench_site(folder / "site") as site,
        Instance(folder / "data", settings=SETTINGS) as atlas,
    ):
        names = list(corpus_pages())
        keep(atlas, [f"{site}/corpus/{name}" for name in names])
        items = {item["url"].rpartition("/")[2]: item for item in wait_until_ended(atlas, len(names), seconds=seconds)}
        return [_score(atlas, name, items[name]) for name in names]


def _score(atlas: Instance, name: str, item: Mapping[str, Any]) -> Scored:
    expected = json.loads((CORPUS / f"{name}.json").read_text("utf-8"))
    wanted = text_of((CORPUS / f"{name}.expected.html").read_text("utf-8"))
    # The text of a duplicate is its original's, that is what makes it one.
    content = atlas.ask("GET", f"/api/v1/items/{item['duplicate_of'] or item['id']}/content?format=txt")
    return Scored(
        name=name,
        stage=item["stage"]["code"],
        state=item["state"],
        verdict=item["verdict"],
        f1=round(word_f1(content.body, wanted), 4) if content.status == 200 else 0.0,
        title_matches=same_title(item["title"], expected["title"]),
        title=item["title"],
        expected_title=expected["title"],
    )


def summary(scored: list[Scored]) -> dict[str, float]:
    return {
        "pages": len(scored),
        "done": sum(page.stage == 590 for page in scored),
        "duplicates": sum(page.stage == 599 for page in scored),
        "mean_f1": round(statistics.mean(page.f1 for page in scored), 4),
        "titles": sum(page.title_matches for page in scored),
    }


def shortfalls(total: Mapping[str, float]) -> list[str]:
    """What is not met, a sentence each."""
    rules = (
        (total["done"] == DONE, f"{total['done']} pages are done, not {DONE}"),
        (total["duplicates"] == DUPLICATES, f"{total['duplicates']} pages are duplicates, not {DUPLICATES}"),
        (total["mean_f1"] >= MEAN_F1, f"the mean F1 is {total['mean_f1']}, not at least {MEAN_F1}"),
        (total["titles"] >= TITLES, f"{total['titles']} titles match, not at least {TITLES}"),
    )
    return [said for holds, said in rules if not holds]


def _table(scored: list[Scored]) -> None:
    say(f"{'page':<46} {'end':<14} {'verdict':<9} {'F1':>6}  title")
    for page in scored:
        title = "=" if page.title_matches else f"{page.title!r} is not {page.expected_title!r}"
        say(f"{page.name:<46} {page.stage} {page.state:<10} {page.verdict or '':<9} {page.f1:6.3f}  {title}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    if not corpus_pages():
        complain("the corpus is not there: ../shared/corpus/pages")
        return 69
    try:
        scored = measure()
    except InstanceError as error:
        complain(error.message)
        return 1
    total = summary(scored)
    missed = shortfalls(total)
    if as_json:
        say(json.dumps({"summary": total, "missed": missed, "pages": [asdict(page) for page in scored]}, indent=2))
    else:
        _table(scored)
        say(
            f"{total['pages']} pages: {total['done']} done, {total['duplicates']} duplicates, "
            f"mean word F1 {total['mean_f1']}, {total['titles']} titles match"
        )
        for line in missed:
            complain(f"not met: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
