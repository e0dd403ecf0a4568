"""The hosted workflow and .ci/run: each step is a recipe that exists, bounded in time and in what it may do."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.architecture.source import ROOT
from tests.justfile import recipes
from tools.cover import ALSO

NEWEST = 14  # the newest Python 3 that is released
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
CI_RUN = (ROOT / ".ci/run").read_text(encoding="utf-8")
# Before .venv is there, `just` is not, either.
FIRST = ["./tools/atlas", "test", "--version"]


def steps(job: dict[str, Any]) -> Iterator[list[str]]:
    """The words of each command line of a job."""
    for step in job["steps"]:
        for line in step.get("run", "").splitlines():
            words = shlex.split(line)
            yield words[2:] if words[:2] == ["sudo", "--preserve-env=CI"] else words


@pytest.mark.parametrize("name", JOBS)
def test_each_step_is_a_recipe_that_exists_or_ci_run_and_none_is_text_put_into_a_shell(name: str) -> None:
    for words in steps(JOBS[name]):
        if words in (FIRST, [".ci/run"]):
            continue
        assert words[0] == ".venv/bin/just", words
        assert words[1] in recipes(), words
    for step in JOBS[name]["steps"]:
        # A branch's name can be a command: what comes from GitHub reaches a step by its environment.
        assert "${{" not in step.get("run", ""), step


@pytest.mark.parametrize("name", JOBS)
def test_each_job_ends_in_time_and_may_do_only_what_it_needs(name: str) -> None:
    job = JOBS[name]
    assert 5 <= job["timeout-minutes"] <= 240
    assert job.get("permissions", {"contents": "read"}) == (
        {"contents": "read", "pull-requests": "write"} if name == "bench" else {"contents": "read"}
    )
    for step in job["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@(v\d+|[0-9a-f]{40})", step["uses"]), step
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_workflow_may_read_and_nothing_else_unless_a_job_says_so() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    triggers = WORKFLOW[True]  # YAML 1.1 takes the word `on` for a truth
    assert set(triggers) == {"push", "pull_request", "schedule", "workflow_dispatch"}  # no pull_request_target


def test_the_smoke_job_runs_every_python_that_atlas_supports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = SpecifierSet(project["project"]["requires-python"])
    supported = [f"3.{minor}" for minor in range(NEWEST + 1) if f"3.{minor}" in wanted]
    assert JOBS["smoke"]["strategy"]["matrix"]["python"] == supported
    assert set(JOBS["tests"]["strategy"]["matrix"]["python"]) <= set(supported)


def test_every_night_the_faults_run_and_the_advisories_are_asked() -> None:
    assert WORKFLOW[True]["schedule"]
    nightly = {name for name, job in JOBS.items() if "github.event_name != 'schedule'" not in job.get("if", "")}
    assert nightly - {"bench"} == {"faults", "audit"}


def test_coverage_and_ratios_are_kept() -> None:
    kept = [
        step["with"]["path"].split()
        for job in JOBS.values()
        for step in job["steps"]
        if "upload" in step.get("uses", "")
    ]
    assert ["build/coverage/coverage.xml", "build/coverage/html"] in kept
    assert ["build/bench/ratios.md"] in kept


def test_ci_run_calls_recipes_that_exist_and_each_part_has_a_limit() -> None:
    parts = [line for line in CI_RUN.splitlines() if line.startswith("part '")]
    assert len(parts) >= 9
    for line in parts:
        _part, _name, within, seconds, *words = shlex.split(line)
        assert (within, seconds.isdigit()) == ("within", True), line
        if words[0] == ".venv/bin/just":
            assert words[1] in recipes(), line
        else:
            assert words[:2] in (["./tools/atlas", "test"], ["./tools/atlas", "demo"]), line


def test_every_marker_is_run_by_ci_run() -> None:
    """A marked test that no part asks for would never run."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    marked = {line.partition(":")[0] for line in project["tool"]["pytest"]["ini_options"]["markers"]}
    asked = " ".join(re.findall(r"-m '?([a-z ]+)", CI_RUN)).split()
    assert marked <= set(asked)


def test_what_the_slow_part_leaves_out_is_run_under_coverage() -> None:
    left_out = re.findall(r"--ignore=([\w/.]+)", CI_RUN)
    ((_, marks, *files),) = ALSO
    assert marks == "slow or fault"
    assert left_out
    assert set(left_out) <= set(files)


def test_a_part_that_fails_in_whatever_way_fails_the_run_and_is_counted(tmp_path: Path) -> None:
    begun = CI_RUN[CI_RUN.index("results=()") : CI_RUN.index("part 'environment'")]
    ended = CI_RUN[CI_RUN.index("printf '\\n== how it ended") :]
    parts = (
        "part good within 20 echo '3 passed, 1 skipped in 1s'",
        "part slow within 0.2 sleep 20",
        "part silent within 20 false",
        "part tests within 20 sh -c 'echo 1 failed, 2 passed, 1 error in 1s; exit 1'",
    )
    for some, code, sums in (
        (parts, 1, "5 passed, 4 failed, 1 skipped"),
        (parts[:1], 0, "3 passed, 0 failed, 1 skipped"),
    ):
        (tmp_path / "run").write_text("\n".join(["set -euo pipefail", begun, *some, ended]))
        ran = subprocess.run(["bash", tmp_path / "run"], capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, ran.stdout.splitlines()[-1]) == (code, sums), ran.stdout + ran.stderr
