"""The Justfile: every recipe is listed, takes its arguments as they were typed, and is run by a test."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.instance import free_port
from tests.justfile import JUST, group_of, recipes

# Of the original plan and of ours: what a person expects to find.
PROMISED = """
    help install install-system uninstall start stop restart status logs health backup restore deploy rollback clean
    test faults simulate bench load corpus lint check fmt coverage smoke matrix audit secrets demo up lock
"""
# Where each recipe is run for real; what needs root and a systemd, where one is booted.
HERE = ("tests/test_justfile.py",)
BOOTED = ("tests/test_reliability/test_systemd_*.py", "tests/systemd/*.py")
SERVICE = ("tests/test_service.py",)
PROOFS = {
    **dict.fromkeys(("install-system", "uninstall", "deploy", "rollback"), BOOTED),
    **dict.fromkeys(("start", "stop", "restart", "status", "logs"), BOOTED),
    **dict.fromkeys(("backup", "restore"), SERVICE),
    **dict.fromkeys(("coverage", "matrix", "check", "audit", "demo"), (".ci/run",)),
    "corpus": ("tests/test_integration/test_corpus.py",),
}
AS_ROOT = ("start", "stop", "restart", "install-system", "uninstall", "deploy", "rollback")
HOSTILE = ("x; touch pwned", "$(touch pwned)", "`touch pwned`", "a  b", "'", '"', "&& touch pwned", "-x=*")
TELL = f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n"


def just(*arguments: str, cwd: Path, seconds: float = 120.0, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [JUST, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def stage(root: Path, tmp_path: Path) -> Path:
    """A checkout in which everything that recipes call only tells its arguments."""
    folder = tmp_path / "the checkout"
    folder.mkdir()
    shutil.copy(root / "Justfile", folder)
    for name in ("tools/atlas", "tools/service", "tools/health_check.sh", "tools/lock", ".venv/bin/python"):
        program(folder / name, TELL)
    for name in ("python3", "gh"):
        program(folder / "bin" / name, TELL)
    return folder


def test_help_and_just_alone_list_every_recipe_in_groups_with_what_it_does(root: Path) -> None:
    listed = just(cwd=root)
    assert (listed.returncode, listed.stderr) == (0, "")
    public = {name: recipe for name, recipe in recipes().items() if not recipe["private"]}
    assert set(PROMISED.split()) <= set(public)
    for name, recipe in public.items():
        assert group_of(recipe) is not None, f"{name} is in no group"
        line = re.search(rf"^ +{name}\b.*# (.+)$", listed.stdout, re.MULTILINE)
        assert line is not None, f"{name} does not say what it does"
    assert just("help", cwd=root).stdout == listed.stdout


@pytest.mark.parametrize("name", [name for name, recipe in recipes().items() if recipe["parameters"]])
def test_arguments_reach_what_they_are_meant_for_as_they_were_typed(stage: Path, name: str) -> None:
    """`just deploy 'x; y'` is about a commit of that name, and runs no y."""
    typed = HOSTILE[:2] if name == "comment" else HOSTILE
    ran = just(name, *typed, cwd=stage, PATH=f"{stage / 'bin'}:{os.environ['PATH']}")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    if name == "bench":  # the first is a file's name
        assert told == [*told[:1], *HOSTILE[1:]] or told == ["-P", f"tools/bench/{HOSTILE[0]}.py", *HOSTILE[1:]]
    elif name == "comment":
        assert told[2:5] == [HOSTILE[1], "--body-file", HOSTILE[0]]
    elif name == "restore":
        assert tuple(told[1:]) == HOSTILE
    else:
        assert tuple(told[-len(HOSTILE) :]) == HOSTILE
    assert list(stage.rglob("pwned")) == []


def test_the_comment_at_a_pull_request_replaces_the_one_before(stage: Path) -> None:
    ran = just("comment", "a.md", "https://x.example/1", cwd=stage, PATH=f"{stage / 'bin'}:{os.environ['PATH']}")
    told = json.loads(ran.stdout)
    assert told == ["pr", "comment", "https://x.example/1", "--body-file", "a.md", "--edit-last", "--create-if-none"]


@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_recipe_is_run_for_real_by_a_test_or_by_ci(root: Path, name: str) -> None:
    """By name, or before another that is run and depends on it."""
    told = {name, *(other for other, recipe in recipes().items() if name in _dependencies(recipe))}
    for each in told:
        files = [path for pattern in PROOFS.get(each, HERE) for path in root.glob(pattern)]
        text = "".join(path.read_text(encoding="utf-8") for path in files)
        if re.search(rf'(just|machine\.service)\(\s*"{each}"|\bjust {each}\b|just", "{each}"|JUST, "{each}"', text):
            return
    pytest.fail(f"nothing in {PROOFS.get(name, HERE)} runs `just {name}`")


def _dependencies(recipe: dict[str, Any]) -> list[str]:
    return [each["recipe"] for each in recipe["dependencies"]]


# Run for real


def test_install_with_a_current_environment_is_done_at_once_and_says_nothing(root: Path) -> None:
    ran = just("install", cwd=root)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_test_is_pytest(root: Path) -> None:
    ran = just("test", "--version", cwd=root)
    assert (ran.returncode, ran.stdout.startswith("pytest ")) == (0, True)


def test_test_slow_asks_for_what_the_default_leaves_out(stage: Path) -> None:
    assert json.loads(just("test-slow", "-k", "a b", cwd=stage).stdout)[4] == "slow or fault or corpus or browser"


def test_health_answers_as_a_monitor_expects(root: Path) -> None:
    ran = just("health", "--port", str(free_port()), cwd=root)
    assert (ran.returncode, ran.stdout.count("\n")) == (2, 1)
    assert ran.stdout.startswith("ATLAS CRITICAL")


def test_clean_removes_caches_and_reports_and_neither_data_nor_settings_nor_the_environment(stage: Path) -> None:
    kept = ("data/atlas.db", "data/__pycache__/x", "logs/a.log", ".env", "config.toml", ".venv/lib/__pycache__/x.pyc")
    gone = ("build/coverage/x", ".pytest_cache/x", ".mypy_cache/x", ".coverage.1", "gateway/__pycache__/x.pyc")
    for name in (*kept, *gone):
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).touch()
    for _ in range(2):
        ran = just("clean", cwd=stage)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert [name for name in kept if not (stage / name).exists()] == []
    assert [name for name in gone if (stage / name).exists()] == []


@pytest.fixture
def small(root: Path, stage: Path) -> Path:
    """The stage with the real tools in its .venv, and the files that they heed."""
    shutil.rmtree(stage / ".venv")
    (stage / ".venv").symlink_to(sys.prefix)
    shutil.copy(root / "pyproject.toml", stage)
    return stage


def test_fmt_formats_and_repairs_and_lint_then_has_nothing_to_say_about_the_form(small: Path) -> None:
    (small / "ugly.py").write_text('"""Ugly."""\nimport os\nimport  sys\nprint( sys.argv )\n')
    assert just("fmt", cwd=small).returncode != 0  # what it cannot repair is told: INP001, T201
    (small / "ugly.py").write_text('"""Ugly."""\nimport os\nimport  sys\nx = [ sys.argv ]\n')
    just("fmt", cwd=small)
    assert (small / "ugly.py").read_text() == '"""Ugly."""\n\nimport sys\n\nx = [sys.argv]\n'


def test_catalogue_writes_the_tables_as_they_are(root: Path, small: Path) -> None:
    for name in ("observability", "docs"):
        shutil.copytree(root / name, small / name)
    shutil.copy(root / "tools/catalogue.py", small / "tools")
    document = small / "docs" / "OBSERVABILITY.md"
    whole = document.read_text()
    document.write_text(whole[: whole.index("### Log events")])
    assert just("catalogue", cwd=small).returncode == 0
    assert document.read_text() == whole


def test_lock_writes_both_files_and_names_no_index(root: Path, stage: Path) -> None:
    shutil.copy(root / "tools/lock", stage / "tools" / "lock")
    (stage / ".venv" / "bin" / "python").unlink()
    program(stage / "bin" / "uv", '#!/bin/sh\nfor last; do :; done\nprintf "%s\\n" "$*" >"$last"\n')
    ran = just("lock", cwd=stage, PATH=f"{stage / 'bin'}:{os.environ['PATH']}")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    for name in ("requirements.lock", "requirements-dev.lock"):
        told = (stage / name).read_text()
        assert "--generate-hashes" in told
        assert "--universal" in told
        assert ("--group dev" in told) == ("dev" in name)
        assert "index" not in told


def test_secrets_finds_a_key_and_passes_what_is_listed(root: Path, small: Path) -> None:
    shutil.copy(root / "tools" / "secrets.py", small / "tools")
    (small / "tools" / "__init__.py").touch()
    (small / ".secrets.baseline").write_text("{}")
    (small / "key.py").write_text(f'KEY = "AKIA{"Q3EGRIFZ6SXGMQVT"}"\n')
    for command in (["init", "--quiet"], ["add", "key.py"]):
        subprocess.run(["git", *command], cwd=small, check=True)
    ran = just("secrets", cwd=small)
    assert (ran.returncode, ran.stderr.splitlines()[1]) == (1, "key.py:1: AWS Access Key")
    assert "AKIA" not in ran.stdout + ran.stderr
    assert just("secrets", "--renew", cwd=small).returncode == 0
    (small / "key.py").write_text(f'\n\nKEY = "AKIA{"Q3EGRIFZ6SXGMQVT"}"\n')  # where it stands does not matter
    assert just("secrets", cwd=small).returncode == 0


@pytest.fixture(scope="module")
def open_to_all(root: Path) -> Iterator[Path]:
    """The recipes and what they call, where anybody may read them."""
    with tempfile.TemporaryDirectory() as made:  # pytest's own folders are closed to others
        folder = Path(made)
        folder.chmod(0o755)
        shutil.copy(root / "Justfile", folder)
        shutil.copytree(root / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(os.path.realpath(JUST), folder / "just")
        yield folder


@pytest.mark.parametrize("name", AS_ROOT)
def test_what_only_root_may_do_says_so_in_one_line_and_ends_with_69(open_to_all: Path, name: str) -> None:
    program(open_to_all / "bin" / "systemctl", "#!/bin/sh\nexit 0\n")  # as if it were installed
    ran = subprocess.run(
        [str(open_to_all / "just"), "--justfile", str(open_to_all / "Justfile"), name],
        cwd=open_to_all,
        env={"PATH": f"{open_to_all / 'bin'}:/usr/bin:/bin", "XDG_RUNTIME_DIR": "/nonexistent"},
        user="nobody" if os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (69, ""), ran.stderr
    assert ran.stderr == f"atlas: run it as root: sudo just {name}\n"


@pytest.mark.slow
def test_smoke_imports_everything_and_shows_the_demo_in_time(root: Path) -> None:
    ran = just("smoke", cwd=root)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "imports and demo work" in ran.stdout


def test_smoke_of_what_is_no_python_says_so_in_one_line(root: Path) -> None:
    ran = just("smoke", "/bin/false", cwd=root)
    assert (ran.returncode, ran.stderr.count("\n")) == (69, 1)
    assert "/bin/false is no Python 3.11 or newer" in ran.stderr


@pytest.mark.slow
def test_up_prints_a_link_and_ctrl_c_in_the_terminal_stops_it(root: Path, tmp_path: Path) -> None:
    settings = {"ATLAS_DATA_DIR": str(tmp_path / "d"), "ATLAS_CONFIG": os.devnull, "ATLAS_ENV_FILE": os.devnull}
    with subprocess.Popen(
        [JUST, "up", "--port", str(free_port())],
        cwd=root,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    ) as up:
        try:
            assert up.stdout is not None
            assert "/sign-in/" in up.stdout.readline()
            os.killpg(up.pid, signal.SIGINT)
            up.wait(30)
        finally:
            if up.poll() is None:
                os.killpg(up.pid, signal.SIGKILL)


@pytest.mark.slow
def test_load_keeps_every_save_that_is_accepted(root: Path) -> None:
    ran = just("load", "--iterations", "40", "--concurrent", "8", cwd=root)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "every accepted save is kept, none twice" in ran.stdout


@pytest.mark.slow
def test_simulate_lives_the_days_of_a_seed(root: Path) -> None:
    ran = just("simulate", "--seed", "3", "--days", "0.2", cwd=root)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
def test_bench_measures_and_compares_two_commits(root: Path, tmp_path: Path) -> None:
    ran = just("bench", "ingest", "--pages", "30", "--pairs", "1", "--kind", "small", "--json", cwd=root)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["atlas_pages_per_second"] > 0
    ran = just("bench", "compare", "HEAD", "--pairs", "1", "--pages", "30", "--to", str(tmp_path / "t.md"), cwd=root)
    assert ran.returncode == 0, ran.stderr
    assert "| figure | base | head | head / base |" in (tmp_path / "t.md").read_text()


@pytest.mark.slow
def test_faults_asks_for_the_full_numbers(root: Path) -> None:
    ran = just("faults", "-k", "test_poison", "--durations=0", cwd=root, seconds=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "passed" in ran.stdout.splitlines()[-1]


@pytest.mark.slow
def test_coverage_says_which_file_is_too_low_and_writes_its_reports(root: Path, tmp_path: Path) -> None:
    ran = just("coverage", "--reports", str(tmp_path), "tests/unit/pipeline/test_breaker.py", cwd=root, seconds=300)
    assert ran.returncode == 1
    assert "supervisor/wiring.py" in ran.stderr
    assert re.search(r"^\d+ passed.*% covered, the least covered file", ran.stdout, re.MULTILINE)
    for name in ("coverage.xml", "html/index.html"):
        assert (tmp_path / name).is_file()
