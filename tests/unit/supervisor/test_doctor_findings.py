"""Each thing that `atlas doctor` can find wrong is brought about, found, and answered with something to type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.condition import Looked, assess, look
from observability.unexpected import Ledger
from pipeline.breaker import Breaker, BreakerState
from pipeline.clock import SystemClock
from pipeline.store.disk import Space
from pipeline.store.figures import FileSize
from pipeline.store.handle import Store
from pipeline.store.status import PAUSED, ActorReport, Format
from supervisor.commands import findings, machine
from supervisor.commands.findings import Seen
from supervisor.commands.remedies import Commands
from supervisor.config import load
from tests.unit.supervisor.library import Library, Past

# The parts of /health, sick


def test_a_disk_that_is_nearly_full_fails_and_one_with_little_room_is_a_warning(
    library: Library, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for free, wanted in ((10**9, "failing"), (8 * 10**9, "warning")):
        monkeypatch.setattr("pipeline.store.handle.space_of", lambda _folder, free=free: Space(total=10**11, free=free))
        state, found, advice = doctor().of("disk")
        assert state == wanted
        assert "of 93.1 GiB are free, saving stops below 4.7 GiB" in found
        assert "du -xhd2" in advice


def test_a_write_ahead_log_that_is_not_cut_back_is_told_with_its_size(
    library: Library, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size, wanted in ((100, "warning"), (300, "failing")):
        grown = FileSize(name="atlas", database=1, wal=size * 2**20)
        monkeypatch.setattr("pipeline.store.status.file_size", lambda _name, _path, grown=grown: grown)
        state, found, advice = doctor().of("wal")
        assert state == wanted
        assert found.startswith(f"atlas {size} MiB")
        assert "fuser -v" in advice


def test_an_archive_that_cannot_be_used_is_told_with_why(library: Library, doctor: Any) -> None:
    library.keep()
    library.archive.write_bytes(b"no database at all " * 1000)
    state, found, advice = doctor().of("archive")
    assert state == "failing"
    assert found.startswith(f"open {library.archive}: the file is no SQLite database")
    assert advice.startswith(f"restore {library.archive}, and with it the library as of then; ")


def test_an_archive_that_only_the_worker_cannot_use_is_told_in_the_workers_words(library: Library, doctor: Any) -> None:
    library.reports("worker", ActorReport(name="acquire", state=PAUSED, last_error="archive.db is damaged"))
    state, found, _advice = doctor().of("archive")
    assert state == "failing"
    assert found.startswith("archive.db is damaged. ")


def test_a_full_queue_is_a_warning_and_a_full_backlog_fails(
    library: Library, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.accept()
    monkeypatch.setenv("ATLAS_QUEUE_MAX_SIZE", "1")
    for backlog, wanted in ((100, "warning"), (1, "failing")):
        monkeypatch.setenv("ATLAS_QUEUE_MAX_BACKLOG", str(backlog))
        state, found, advice = doctor().of("queue")
        assert state == wanted
        assert found.startswith(f"1 of 1, backlog 1 of {backlog}. ")
        assert "./tools/atlas status" in advice


@pytest.mark.parametrize("role", ["worker", "api"])
def test_a_role_that_does_not_run_fails_and_is_told_apart_from_one_that_died(
    library: Library, doctor: Any, role: str
) -> None:
    library.sql("DELETE FROM roles")
    assert doctor().of(role)[1].startswith("not running: it has never run on this folder. ")
    library.reports(role, has_stopped=True, seconds_ago=600)
    state, found, advice = doctor().of(role)
    assert state == "failing"
    assert found.startswith("not running: stopped 10 min ago. ")
    assert advice == f"start it: ./tools/atlas up, or systemctl start atlas-{role}"
    library.reports(role, seconds_ago=600)
    state, found, advice = doctor().of(role)
    assert state == "failing"
    assert found.startswith("not running: pid 7 was last heard of 10 min ago and never said that it stops. ")
    assert advice.startswith(f"see why it ended: journalctl -u atlas-{role} -n 50; then start it: ")


def test_where_logs_go_to_a_file_that_is_where_to_look(
    library: Library, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_LOG_FILE", "atlas.log")
    library.reports("worker", seconds_ago=600)
    assert f"tail -n 50 {library.folder}/atlas.log" in doctor().of("worker")[2]


def test_an_actor_that_has_failed_is_named(library: Library, doctor: Any) -> None:
    actors = (ActorReport(name="acquire", state="running", restarts=1), ActorReport(name="extract", state="failed"))
    library.reports("worker", *actors)
    state, found, advice = doctor().of("actors")
    assert (state, found) == ("failing", "1 of 2 run, restarts so far: 1. extract is failed")
    assert "./tools/atlas errors" in advice


def test_a_scheduler_that_has_stopped_is_told_with_its_last_round(library: Library, doctor: Any) -> None:
    library.run(lambda store: store.status.sweep(), seconds_ago=3600 * 3)
    state, found, advice = doctor().of("scheduler")
    assert state == "failing"
    assert found.startswith("last round 3 h ago. ")
    assert "./tools/atlas scheduler" in advice


def test_a_drift_of_the_counts_is_told_with_how_large_it_was(library: Library, doctor: Any) -> None:
    library.accept()
    library.sql("UPDATE counts SET n = n + 2")
    library.run(lambda store: store.status.sweep())
    state, found, advice = doctor().of("conservation")
    assert state == "failing"
    assert found.startswith("2 items off, recounted 0 s ago. ")
    assert "journalctl -u atlas-scheduler" in advice


def test_what_was_never_backed_up_is_a_warning_with_its_age(library: Library, doctor: Any) -> None:
    library.accept(seconds_ago=3 * 86_400)
    state, found, advice = doctor().of("backup")
    assert state == "warning"
    assert found.startswith("none yet, the first item was kept 3 d ago. ")
    assert advice
    library.sql(f"INSERT INTO totals (name, n) VALUES ('backup_at', {Past(2 * 86_400).wall_ms()})")
    assert doctor().of("backup")[1].startswith("made 2 d ago, never checked. ")
    at = Past(3 * 86_400).wall_ms()
    library.sql(f"INSERT INTO totals (name, n) VALUES ('drilled_at', {at}), ('backup_copied_at', {at})")
    assert doctor().of("backup")[1].startswith("made 2 d ago, never checked, drilled 3 d ago, copied 3 d ago. ")


def test_unexpected_errors_are_a_warning_with_where_to_read_them(library: Library, doctor: Any) -> None:
    ledger = Ledger(SystemClock().wall_ms)
    ledger.note(ValueError("x"), place="stage.extract")
    library.run(lambda store: store.mishaps.keep(ledger.take(), role="worker"))
    state, found, advice = doctor().of("errors")
    assert (state, found.split(".")[0]) == ("warning", "1 kind")
    assert "./tools/atlas errors" in advice


def test_a_database_that_is_busy_full_or_down_has_a_remedy_each(library: Library) -> None:
    looked = library.run(lambda store: look(store, SystemClock().wall_ms()))
    commands = Commands(config=load(environment={"ATLAS_DATA_DIR": str(library.folder)}, root=library.folder).config)
    for state, words in (("busy", "fuser -v"), ("full", "du -xhd2"), ("down", "doctor --deep")):
        (found,) = [each for each in _judged(looked, state, commands) if each.check == "database"]
        assert found.state == "failing"
        assert words in found.advice


def _judged(looked: Looked, database: str, commands: Commands) -> tuple[findings.Finding, ...]:
    sick = msgspec.structs.replace(looked, database=database)
    seen = Seen(looked=sick, condition=assess(sick), why="", formats=(), engine="3")
    return findings.in_store(seen, commands)


# Beside the parts of /health


@pytest.mark.parametrize(("minutes", "wanted"), [(1, "ok"), (10, "warning"), (40, "failing")])
def test_what_could_be_worked_on_and_is_not_shows_by_its_age(
    library: Library, doctor: Any, minutes: int, wanted: str
) -> None:
    library.accept(seconds_ago=minutes * 60)
    state, found, advice = doctor().of("oldest")
    assert (state, bool(advice)) == (wanted, wanted != "ok")
    assert found.startswith("of the items that could be worked on: acquire ")


def test_an_item_that_waits_for_its_time_is_no_finding(library: Library, doctor: Any) -> None:
    library.accept(seconds_ago=7200)
    library.sql("UPDATE items SET state = 'waiting'")
    assert doctor().of("oldest")[:2] == ("ok", "nothing waits to be worked on")


def test_open_breakers_are_told_and_no_alarm(library: Library, doctor: Any) -> None:
    async def job(store: Store) -> None:
        for name in ("host:a.example", "provider:wayback"):
            await store.breakers.save(Breaker(name=name, state=BreakerState.OPEN, failures=5, opens=1, opened_at=1))

    library.run(job)
    state, found, _advice = doctor().of("breakers")
    assert state == "ok"
    assert found.startswith("left alone for now: 1 hosts, wayback; `atlas breakers` lists them")


def test_an_env_file_that_others_can_read_is_a_warning_with_the_command_that_closes_it(
    library: Library, doctor: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env = tmp_path / "env"
    env.write_text("GOOGLE_SEARCH_API_KEY=secret\n")
    env.chmod(0o644)
    monkeypatch.setenv("ATLAS_ENV_FILE", str(env))
    told = doctor()
    state, found, advice = told.of("config")
    assert (state, found) == ("warning", f"{env} holds secrets and others can read it")
    assert advice == f"run: chmod 600 {env}"
    assert told.err == ""


@pytest.mark.parametrize(
    ("content", "state", "words"),
    [
        ("nameserver 127.0.0.53\n", "ok", "127.0.0.53, on this machine"),
        ("nameserver ::1\nnameserver 127.0.0.1\n", "ok", "::1, 127.0.0.1, on this machine"),
        ("nameserver 127.0.0.53\nnameserver 9.9.9.9\n", "warning", "127.0.0.53, 9.9.9.9: not on this machine"),
        ("nameserver 169.254.169.254\n", "warning", "169.254.169.254: the cloud's own"),
        ("nameserver fe80::1%eth0\n", "warning", "fe80::1%eth0: not on this machine"),
        ("search lan\n", "warning", "none is named"),
        (None, "warning", "none is named"),
    ],
)
def test_a_resolver_elsewhere_than_on_this_machine_is_a_warning(
    tmp_path: Path, content: str | None, state: str, words: str
) -> None:
    path = tmp_path / "resolv.conf"
    if content is not None:
        path.write_text(content)
    found = machine.resolver(path)
    assert (found.state, bool(found.advice)) == (state, state == "warning")
    assert words in found.found


def test_a_schema_that_a_newer_release_has_left_is_a_warning(library: Library, doctor: Any) -> None:
    library.sql("PRAGMA user_version = 99")
    state, found, advice = doctor().of("schema")
    assert (state, bool(advice)) == ("warning", True)
    assert found.startswith("atlas 99, archive 1. ")


def test_a_database_without_a_write_ahead_log_fails(library: Library) -> None:
    formats = (Format(name="atlas", schema=5, journal="delete"), Format(name="archive", schema=1, journal="wal"))
    commands = Commands(config=load(environment={"ATLAS_DATA_DIR": str(library.folder)}, root=library.folder).config)
    found = machine.journal(formats, commands)
    assert (found.state, found.found.split(".")[0]) == ("failing", "atlas delete")
    assert f"df -T {library.folder}" in found.advice


def test_a_package_that_is_not_installed_fails_with_how_to_install_it(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\ndependencies = ["trio>=0.35", "no-such-package[extra]>=1", "httpx2[http2]"]\n')
    found = machine.python(project)
    assert (found.state, found.found.split(": ")[-1]) == ("failing", "no-such-package")
    assert "rm -f .venv/atlas.stamp" in found.advice


@pytest.mark.parametrize(
    ("n", "told"),
    [(0, "0 KiB"), (512, "0.5 KiB"), (150 * 2**10, "150 KiB"), (5 * 2**20, "5.0 MiB"), (2**40, "1,024 GiB")],
)
def test_sizes_are_told_in_the_unit_that_a_person_would_choose(n: int, told: str) -> None:
    assert findings.size(n) == told
