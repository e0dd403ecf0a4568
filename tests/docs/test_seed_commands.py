"""The verification commands of the original plan, typed at a real Atlas: curl, jq, grep, sqlite3, sha256sum, git."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from supervisor.instance import Instance, environment
from tests.docs.documents import ROOT, guide
from tests.test_integration.at_work import AtWork, at_work, sample_site
from tests.test_reliability.roles import Roles, roles
from tests.test_reliability.sizes import figure

SAVES = 1500
QUEUE = 1000
AT_ONCE = 100  # of those that come back


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def shell(command: str, *, cwd: Path = ROOT, settings: dict[str, str] | None = None) -> str:
    """What the command printed; it has to end with 0."""
    told = environment(settings or {})
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=cwd,
        env=told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AtWork, str]]:
    """Both roles with a log file, a sample site, and one article that is done."""
    folder = tmp_path_factory.mktemp("plan")
    with sample_site() as site, at_work(folder, ATLAS_LOG_FILE="logs/atlas.log", ATLAS_LOG_LEVEL="debug") as atlas:
        atlas.save(f"{site}/articles/rain-gauges")
        yield atlas, site


def atlas(command: str, working: AtWork) -> str:
    return working.atlas.command(*command.split())


def shown(uid: str, working: AtWork) -> dict[str, Any]:
    """`atlas show --json`."""
    found: dict[str, Any] = json.loads(atlas(f"show {uid} --json", working))
    return found.get("item", found)


@pytest.mark.slow
def test_health_and_ready_answer_curl_with_the_fields_of_the_plan(running: tuple[AtWork, str]) -> None:
    needs("curl", "jq")
    base = running[0].base
    health = shell(f"curl -f -s {base}/health | jq -c '[.status, .database, .processor, (.timestamp | type)]'")
    status, database, processor, timestamp = json.loads(health)
    assert (database, processor, timestamp) == ("ok", "up", "string")
    assert status in {"ok", "degraded"}
    ready = json.loads(shell(f"curl -f -s {base}/ready | jq -c '[.ready, .queue_size, .max_queue_size]'"))
    assert ready == [True, 0, 1000]


@pytest.mark.slow
def test_metrics_are_found_by_grep(running: tuple[AtWork, str]) -> None:
    needs("curl")
    found = shell(f"curl -s {running[0].base}/metrics | grep 'atlas_'")
    assert re.search(r'^atlas_requests_total\{.*endpoint="/api/v1/items".*method="POST".*\} [1-9]', found, re.MULTILINE)
    assert re.search(r'^atlas_processing_seconds_count\{.*stage="acquire".*\} [1-9]', found, re.MULTILINE)


@pytest.mark.slow
def test_the_log_file_is_read_by_jq(running: tuple[AtWork, str]) -> None:
    needs("jq")
    data = running[0].atlas.data
    assert shell("""tail -n 1000 logs/atlas.log | jq -c 'select(.level=="error")'""", cwd=data) == ""
    events = shell("tail -n 1000 logs/atlas.log | jq -r .event", cwd=data).split()
    assert "item.accepted" in events


@pytest.mark.slow
def test_equal_url_and_content_have_an_equal_hash(running: tuple[AtWork, str]) -> None:
    """The same page fetched again has the same hash, which sha256sum makes as well; another page has another one."""
    needs("curl", "jq", "sha256sum")
    working, site = running
    first, other = working.save(f"{site}/articles/paper-maps"), working.save(f"{site}/articles/lamplighters")
    hashes = []
    for uid in (first, first, other):
        hashes.append(shown(uid, working)["document"]["content_hash"])
        if len(hashes) == 1:
            atlas(f"retry {uid}", working)
            working.end(uid)
    assert hashes[0] == hashes[1] != hashes[2]
    token = working.atlas.token
    text = f'curl -fsS -H "Authorization: Bearer {token}" {working.base}/api/v1/items/{first}/content'
    url = shown(first, working)["url"]
    summed = shell(f"{{ printf '%s:' '{url}'; {text}; }} | sha256sum | cut -d' ' -f1").strip()
    assert summed == hashes[0]
    assert hashes[0] == hashlib.sha256(f"{url}:{shell(text)}".encode()).hexdigest()


@pytest.mark.slow
def test_the_database_has_a_write_ahead_log(tmp_path: Path) -> None:
    """sqlite3 only while nothing runs; the doctor at any time."""
    needs("sqlite3")
    stopped = Instance(tmp_path / "data")
    stopped.command("add", "https://example.org/")
    assert shell('sqlite3 data/atlas.db "PRAGMA journal_mode;"', cwd=tmp_path) == "wal\n"
    found = subprocess.run(
        [sys.executable, "-P", "-m", "supervisor", "doctor", "--json"],
        env=environment(stopped.settings),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert {each["check"]: each["found"] for each in json.loads(found.stdout)}["journal"] == "wal"


@pytest.mark.slow
def test_settings_are_checked_shown_and_overridden(tmp_path: Path) -> None:
    at = Instance(tmp_path / "new" / "data", settings={"ATLAS_API_PORT": "9999"})
    assert "The settings are good" in at.command("config", "check")
    shown = json.loads(at.command("config", "show", "--json"))
    (port,) = [each for each in shown if (each["section"], each["key"]) == ("api", "port")]
    assert (port["value"], port["origin"], port["name"]) == (9999, "environment", "ATLAS_API_PORT")
    at.command("add", "https://example.org/")
    assert (tmp_path / "new" / "data" / "atlas.db").is_file(), "folders are made"
    wrong = subprocess.run(
        [sys.executable, "-P", "-m", "supervisor", "api"],
        env=environment(at.settings | {"ATLAS_API_PORT": "many"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (wrong.returncode, "ATLAS_API_PORT" in wrong.stderr) == (78, True), "checked at the start"


def test_env_files_stay_out_of_git() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this checkout has no .git")
    assert shell("git check-ignore .env config.toml").split() == [".env", "config.toml"]
    assert shell("git ls-files .env .env.example").split() == [".env.example"]
    assert os.access(ROOT / ".env.example", os.R_OK)


@pytest.mark.slow
def test_the_load_test_is_a_script_as_well() -> None:
    said = shell(f"{sys.executable} tests/test_load.py --iterations=60 --concurrent=20")
    assert "60 accepted" in said
    assert "every accepted save is kept, none twice" in said


def test_the_documents_of_the_plan_are_there_and_say_what_it_asked_for() -> None:
    assert "systemd" in guide("QUICKSTART.md").text
    assert any("rouble" in each.text for each in guide("OPERATIONS.md").headings)
    assert guide("RELIABILITY_CHECKLIST.md").headings


# More than a thousand at once


async def post(port: int, token: str, number: int) -> tuple[int, bool]:
    """A save on a connection of its own; its status, and whether a refusal says when to come again."""
    body = json.dumps({"url": f"https://example.org/{number}"}).encode()
    head = (
        f"POST /api/v1/items HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(head.encode() + body)
        answer = b"".join([piece async for piece in stream]).decode()
    says_when = re.search(r"^retry-after: \d+", answer, re.IGNORECASE | re.MULTILINE)
    return int(answer.split(" ", 2)[1]), says_when is not None


def posted(running: Roles, numbers: list[int]) -> list[int]:
    """Save all of them at one moment; those that were told to come back. Nothing else may happen to one."""
    answers: dict[int, tuple[int, bool]] = {}

    async def one(number: int) -> None:
        answers[number] = await post(running.atlas.port, running.atlas.token, number)

    async def all_of_them() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for number in numbers:
                    nursery.start_soon(one, number)

    trio.run(all_of_them)
    assert {status for status, _ in answers.values()} <= {202, 503}
    assert all(says_when for status, says_when in answers.values() if status == 503)
    return [number for number, (status, _) in answers.items() if status == 503]


@pytest.mark.slow
def test_fifteen_hundred_saves_at_once_are_all_kept_or_told_to_come_back(tmp_path: Path) -> None:
    """1,500 connections at one moment into a queue of 1,000, then those that were refused again until all are in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        with roles(tmp_path, {"ATLAS_QUEUE_MAX_SIZE": str(QUEUE)}) as running:
            running.start("api")
            refused = posted(running, list(range(SAVES)))
            come_back, left = len(refused), refused
            for _ in range(SAVES):
                if not left:
                    break
                left = left[AT_ONCE:] + posted(running, left[:AT_ONCE])
            assert left == []
            ready = running.atlas.ask("GET", "/ready")
            assert (ready.status, ready.body["queue_size"], ready.body["max_queue_size"]) == (503, QUEUE, QUEUE)
            kept = Counter(item["url"] for item in running.atlas.items())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(kept) == SAVES
    assert set(kept.values()) == {1}
    figure("at once", f"{SAVES} connections at once: {come_back} told to come back, in the end all kept, none twice")
