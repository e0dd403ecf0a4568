"""Retry, replay, failed and breakers on the command line: on the store directly, also while nothing runs."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio

from pipeline.breaker import Breaker, BreakerState
from pipeline.clock import SystemClock
from pipeline.effects import ClaimContent, Index
from pipeline.items import Reason
from pipeline.lifecycle import State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.work import Advance, Bury, Claim
from supervisor.cli import main
from supervisor.exits import Exit
from tests.store.hands import claim_all, enriched, extracted, finish, page, run_through

T = TypeVar("T")


class Library:
    """A data folder, to put things into and to look at behind the commands' back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, job: Callable[[Store], Awaitable[T]]) -> T:
        async def go() -> T:
            settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
            async with open_store(*settings, folder=self._folder, clock=SystemClock()) as store:
                return await job(store)

        return trio.run(go)

    def dead(self, url: str, code: str = "timeout") -> str:
        async def job(store: Store) -> str:
            uid = (await store.items.accept(page(url))).uid
            (claim,) = await claim_all(store)
            await finish(store, claim, Bury(reason=Reason(code=code, error_id="abc123")))
            return uid

        return self.run(job)

    def done(self, url: str) -> str:
        async def job(store: Store) -> str:
            uid = (await store.items.accept(page(url))).uid
            (claim,) = await claim_all(store)
            await run_through(store, claim, text=url)
            return uid

        return self.run(job)

    def state(self, uid: str) -> State:
        return self.run(lambda store: store.items.get(uid)).state


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, data_dir: Path, tmp_path: Path) -> Library:
    monkeypatch.setenv("ATLAS_DATA_DIR", str(data_dir))
    monkeypatch.setenv("ATLAS_CONFIG", os.devnull)
    monkeypatch.setenv("ATLAS_ENV_FILE", os.devnull)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return Library(data_dir)


@pytest.fixture
def atlas(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(list(arguments))
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_dead_letter_is_tried_again_by_id_also_while_no_worker_runs_which_is_said(
    library: Library, atlas: Any
) -> None:
    uid = library.dead("https://a.example/")
    code, out, err = atlas("retry", uid.lower())
    assert (code, out.split(None, 1)) == (Exit.OK, ["1", "tried again from the beginning\n"])
    assert "no worker runs here" in err
    assert library.state(uid) is State.READY


def test_a_selection_is_tried_again_and_a_dry_run_changes_nothing(library: Library, atlas: Any) -> None:
    wanted, other = library.dead("https://a.example/"), library.dead("https://b.example/")
    code, out, err = atlas("retry", "--where", "error:timeout site:a.example", "--dry-run")
    assert code == Exit.OK
    assert wanted in out
    assert other not in out
    assert "nothing was changed" in err
    assert library.state(wanted) is State.DEAD
    code, out, _err = atlas("retry", "--where", "error:timeout site:a.example", "--json")
    assert (code, json.loads(out)["requeued"]) == (Exit.OK, 1)
    assert [library.state(uid) for uid in (wanted, other)] == [State.READY, State.DEAD]
    code, _out, err = atlas("retry", "--where", "error:timeout site:a.example")
    assert code == Exit.FAILED
    assert "nothing matches" in err


def test_what_cannot_be_done_again_is_named_and_ends_with_1(library: Library, atlas: Any) -> None:
    uid = library.dead("https://a.example/")
    code, out, err = atlas("replay", "--from", "extract", uid, "0" * 26)
    assert code == Exit.FAILED
    assert "nothing was ever fetched for it" in out
    assert f"{uid}: nothing was ever fetched" in err
    assert "there is no such item" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("retry",),
        ("retry", "--where", "state:dead", "0" * 26),
        ("replay", "--from", "acquire", "--where", "x:y"),
        ("replay", "0" * 26),
        ("failed", "--by", "colour"),
    ],
)
@pytest.mark.usefixtures("library")
def test_a_wrong_call_ends_with_64(atlas: Any, arguments: tuple[str, ...]) -> None:
    assert atlas(*arguments)[0] == Exit.USAGE


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("uid", ["nonsense", "\udcff", "0" * 26])
def test_what_is_no_item_is_named_and_a_dry_run_does_not_count_it(library: Library, atlas: Any, uid: str) -> None:
    kept = library.done("https://a.example/")
    for command in (("retry",), ("replay", "--from", "extract")):
        code, _out, err = atlas(*command, uid)
        assert (code, "there is no such item" in err) == (Exit.FAILED, True)
        _code, out, err = atlas(*command, "--dry-run", uid, kept, kept)
        assert (out.count(kept), "1 would be done again; nothing was changed" in err) == (1, True)


def test_a_selection_with_faults_names_every_one_of_them(atlas: Any) -> None:
    code, _out, err = atlas("retry", "--where", "eror:timeout state:daed")
    assert code == Exit.FAILED
    assert "did you mean error?" in err
    assert "did you mean dead?" in err


def test_a_replay_that_is_waited_for_without_a_worker_says_so_and_ends_with_75(library: Library, atlas: Any) -> None:
    uid = library.done("https://a.example/")
    code, out, err = atlas("replay", "--from", "extract", "--wait", "--where", "site:a.example")
    assert code == Exit.TRY_LATER
    assert "made again from the archived body" in out
    assert "no worker runs here" in err
    assert library.state(uid) is State.READY


class Worker:
    """Rung like a worker: it does what is queued at once, as long as it is there."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.rings_left = 100
        self.texts: dict[str, str] = {}
        self.failing = False
        self.working = True

    def ring(self, _folder: Path, _role: str) -> bool:
        self.rings_left -= 1
        if self.rings_left < 0:
            return False

        async def work(store: Store) -> None:
            for claim in await claim_all(store):
                if self.failing:
                    await finish(store, claim, Bury(reason=Reason(code="parse_failed", error_id="abc123")))
                    continue
                at: Claim | None = claim
                indexed = Advance(effects=(ClaimContent(text_hash=claim.subject, content_hash="c"), Index()))
                for outcome in (extracted(self.texts.get(claim.subject, "the same")), enriched(), indexed):
                    assert at is not None
                    at = (await finish(store, at, outcome)).next

        if self.working and not trio.lowlevel.in_trio_run():
            self.library.run(work)
        return True


@pytest.fixture
def worker(library: Library, monkeypatch: pytest.MonkeyPatch) -> Worker:
    there = Worker(library)
    monkeypatch.setattr("supervisor.commands.retry.ring", there.ring)
    monkeypatch.setattr("supervisor.commands.retry.RING_SECONDS", 0.0)
    return there


def test_a_replay_that_is_waited_for_says_what_has_changed_and_what_has_not(
    library: Library, atlas: Any, worker: Worker
) -> None:
    one, _other = (library.done(f"https://a.example/{number}") for number in range(2))
    command = ("replay", "--from", "extract", "--wait", "--where", "site:a.example")
    assert atlas(*command)[0] == Exit.OK  # the first brings both to the same text
    worker.texts = {one: "another text"}
    code, out, err = atlas(*command)
    assert (code, err) == (Exit.OK, "")
    assert "2 made again from the archived body" in out
    assert out.splitlines()[-1] == "1 unchanged, 1 changed, 0 failed"
    worker.texts = {one: "a third text"}
    code, out, _err = atlas(*command, "--json")
    summary = json.loads(out)
    assert (code, summary["unchanged"], len(summary["changed"]), summary["unfinished"]) == (Exit.OK, 1, 1, 0)


def test_a_replay_that_fails_is_told_with_its_reason_and_ends_with_1(
    library: Library, atlas: Any, worker: Worker
) -> None:
    uid = library.done("https://a.example/")
    worker.failing = True
    code, out, _err = atlas("replay", "--from", "extract", "--wait", uid)
    assert code == Exit.FAILED
    assert f"{uid}\tA title\tparse_failed" in out
    assert out.splitlines()[-1] == "0 unchanged, 0 changed, 1 failed"


@pytest.mark.parametrize("patience", [0.0, 600.0])
def test_a_worker_that_goes_away_or_takes_too_long_is_not_waited_for_any_longer(
    library: Library, atlas: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    uid = library.done("https://a.example/")
    worker.working, worker.rings_left = False, 1
    monkeypatch.setattr("supervisor.commands.retry.PATIENCE_SECONDS", patience)
    code, _out, err = atlas("replay", "--from", "extract", "--wait", uid)
    assert (code, "1 are still on their way" in err) == (Exit.TRY_LATER, True)


def test_a_dry_run_as_json_tells_how_many_match_and_which(library: Library, atlas: Any) -> None:
    uid = library.dead("https://a.example/")
    code, out, _err = atlas("retry", "--where", "site:a.example", "--dry-run", "--json")
    told = json.loads(out)
    assert (code, told["matching"], [each["uid"] for each in told["items"]]) == (Exit.OK, 1, [uid])


def test_failures_are_listed_and_grouped(library: Library, atlas: Any) -> None:
    first = library.dead("https://a.example/1")
    library.dead("https://a.example/2")
    library.dead("https://b.example/", code="challenge")
    code, out, _err = atlas("failed", "--where", "site:a.example")
    assert code == Exit.OK
    assert len(out.splitlines()) == 3
    assert f"{first}\ttimeout" in out
    assert "abc123" in out
    assert json.loads(atlas("failed", "--by", "code", "--json")[1])[0]["n"] == 2
    rows = [line.split("\t")[:2] for line in atlas("failed", "--by", "site")[1].splitlines()]
    assert rows == [["SITE", "ITEMS"], ["a.example", "2"], ["b.example", "1"]]
    code, out, err = atlas("failed", "--limit", "1")
    assert len(out.splitlines()) == 2
    assert "3 in all" in err


def test_breakers_are_listed_with_why_and_until_when(library: Library, atlas: Any) -> None:
    now = SystemClock().wall_ms()
    resting = Breaker(
        name="host:a.example",
        state=BreakerState.OPEN,
        failures=5,
        opens=1,
        opened_at=now,
        probe_at=now + 3_600_000,
        reason="timeout",
    )
    library.run(lambda store: store.breakers.save(resting))
    code, out, _err = atlas("breakers")
    assert code == Exit.OK
    assert out.splitlines()[1].split("\t")[:4] == ["host:a.example", "open", "5", "timeout"]
    assert "in 5" in out
    (told,) = json.loads(atlas("breakers", "--json")[1])["breakers"]
    assert (told["name"], told["state"]) == ("host:a.example", "open")
