"""F21 and F22: an actor that crashes on everything ends the worker and holds up nobody until then; one that hangs is
restarted alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pipeline.items import Kind, Submission
from pipeline.lifecycle import State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.stage import StageContext
from pipeline.store.handle import open_store
from pipeline.work import Claim, Outcome
from supervisor.child import SupervisorGaveUp
from supervisor.exits import Exit
from tests.flow.conftest import FakeClock, advance
from tests.flow.test_worker import save, working
from tests.test_reliability.roles import roles
from tests.test_reliability.sizes import figure
from tools.bench.run import bench_site

pytestmark = pytest.mark.fault

NOTES, STEP_SECONDS = 600, 0.05


def test_an_actor_that_crashes_on_every_claim_ends_the_worker_with_70_and_loses_nothing(tmp_path: Path) -> None:
    count = 40
    with bench_site(tmp_path / "site", pages=count) as site, roles(tmp_path) as running:
        running.start("api")
        running.atlas.command("add", "-", given="\n".join(f"{site}/p/{number}" for number in range(count)))
        worker = running.start_faulty("crashes_in_extract")
        assert worker.wait(60) == Exit.INTERNAL
        after = running.start("worker")
        after.wait_for(lambda: running.ended(count), seconds=60, what="finishing with a sound actor")
        items = running.atlas.items()
        assert {item["state"] for item in items} == {"done"}
        figure("F21", f"exit {Exit.INTERNAL:d}, then all {count} done by the next worker")
        assert after.stop() == 0


async def steps_beside(folder: Path, ended: list[float], *, crashes: list[float] | None) -> None:
    """Note when the stage at 300 ended each step with a note, while pages are handled at 100, or crash the actor there.

    A stage before the crashing one would wait for room, as it should; this one has nothing to do with it.
    """

    async def quick(claim: Claim, ctx: StageContext) -> Outcome:
        await trio.sleep(STEP_SECONDS)
        if claim.item is not None and claim.item.kind is Kind.NOTE:
            ended.append(trio.current_time())
        return await advance(claim, ctx)

    async def crash(*_any: object) -> Outcome:
        assert crashes is not None
        await trio.sleep(1)
        crashes.append(trio.current_time())
        raise RuntimeError("a bug in the actor's loop")

    async with open_store(
        DatabaseSettings(), QueueSettings(max_size=2000), RetrySettings(), folder=folder, clock=FakeClock(), inline=True
    ) as store:
        for number in range(NOTES):
            await store.items.accept(Submission(kind=Kind.NOTE, text=f"note {number}"))
        await save(store, 20)
        async with working(store, folder, {100: quick, 300: quick}) as worker:
            if crashes is not None:
                (actor,) = [actor for actor in worker.line.actors if actor.spec.name == "s100"]
                actor._judge = crash  # type: ignore[method-assign]
            await trio.sleep(NOTES * STEP_SECONDS)


async def test_other_stages_go_on_while_one_crashes_until_its_restarts_are_spent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    crashes: list[float] = []
    beside: list[float] = []
    alone: list[float] = []
    with pytest.raises(BaseExceptionGroup) as gave_up:
        await steps_beside(tmp_path / "crashing", beside, crashes=crashes)
    assert gave_up.group_contains(SupervisorGaveUp)
    assert len(crashes) == 6, "five restarts, and the sixth crash is one too many"
    lived = crashes[-1] - beside[0]
    assert lived <= 30
    await steps_beside(tmp_path / "sound", alone, crashes=None)
    done = sum(at <= crashes[-1] for at in beside)
    expected = sum(at - alone[0] <= lived for at in alone)
    figure(
        "F21", f"5 restarts in {lived:.1f} s, then given up; another stage did {done} steps, {expected} without that"
    )
    assert done >= 0.9 * expected


async def test_an_actor_that_waits_for_ever_is_restarted_alone_within_thirty_seconds_of_its_deadline(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    deadline = 20.0  # what `working` gives its stages
    hung_at: list[float] = []
    again_at: list[float] = []

    async def hangs_once(claim: Claim, ctx: StageContext) -> Outcome:
        if claim.item is not None and claim.item.url == "https://example.org/0":
            if not hung_at:
                hung_at.append(trio.current_time())
                with trio.CancelScope(shield=True) as scope:
                    scopes.append(scope)
                    await trio.sleep(deadline + 15)  # deaf to its deadline, as a broken library is
                await trio.sleep_forever()
            again_at.append(trio.current_time())
        return await advance(claim, ctx)

    scopes: list[trio.CancelScope] = []
    async with open_store(
        DatabaseSettings(),
        QueueSettings(),
        RetrySettings(base_seconds=0.1),
        folder=tmp_path,
        clock=FakeClock(),
        inline=True,
    ) as store:
        uids = await save(store, 20)
        async with working(store, tmp_path, {100: hangs_once, 300: advance}) as worker:
            await trio.sleep(90)
            items = [await store.items.get(uid) for uid in uids]
            assert {item.state for item in items} == {State.DONE}
            assert [item.attempts for item in items] == [1] + [0] * 19
            report = {actor.name: (actor.stalls, actor.restarts) for actor in worker.report().actors}
            assert report == {"s100": (1, 1), "s300": (0, 0)}
    late = again_at[0] - hung_at[0] - deadline
    figure("F22", f"restarted alone, the item tried again {late:.1f} s after the deadline, at one attempt")
    assert late <= 30
