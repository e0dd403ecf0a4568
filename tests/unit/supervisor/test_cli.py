"""The command line: works on the store directly, says what is wrong in a line, ends with the documented code."""

from __future__ import annotations

import io
import json
import os
import pwd
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import AtlasError, ConfigError, NotFound, QueueFull, StoreBusy, StoreTooNew, StoreUnreadable
from supervisor.arguments import GROUPS
from supervisor.cli import main
from supervisor.exits import EXPLAINED, Exit, exit_code


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> Path:
    """An empty data folder that all commands of the test work on; nobody's own settings."""
    monkeypatch.setenv("ATLAS_DATA_DIR", str(data_dir))
    monkeypatch.setenv("ATLAS_CONFIG", os.devnull)
    monkeypatch.setenv("ATLAS_ENV_FILE", os.devnull)
    return data_dir


class Ran:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def atlas(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> Ran:
        try:
            code = main(list(arguments))
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def test_help_groups_every_command_and_documents_every_exit_code(atlas: Any) -> None:
    ran = atlas("--help")
    assert ran.code == 0
    for group, commands in GROUPS.items():
        assert f"{group}:" in ran.out
        for name, text in commands.items():
            assert f"{name:<10} {text}" in ran.out
            assert atlas(name, "--help").code == 0
    assert all(f"{code:>3}  {text}" in ran.out for code, text in EXPLAINED.items())


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("dance",),
        ("add",),
        ("token",),
        ("token", "create", "--name", "x"),
        ("up", "--port", "x"),
        ("up", "--port", "0"),
        ("search", "--limit", "0", "x"),
    ],
)
def test_a_wrong_call_ends_with_64_and_says_where_help_is(atlas: Any, arguments: tuple[str, ...]) -> None:
    ran = atlas(*arguments)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "--help" in ran.err.splitlines()[-1]


def test_wrong_settings_end_every_command_with_78_and_all_faults_in_one_message(
    atlas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_API_PORT", "x")
    monkeypatch.setenv("ATLAS_API_PROT", "1")
    for command in (("status",), ("worker",), ("up",), ("config", "check"), ("add", "https://host/")):
        ran = atlas(*command)
        assert (ran.code, ran.out) == (Exit.CONFIG, "")
        assert "2 faults" in ran.err
        assert "ATLAS_API_PORT: expected `int`, not 'x'" in ran.err
        assert "did you mean ATLAS_API_PORT?" in ran.err
    faults = atlas("config", "check", "--json")
    assert faults.code == Exit.CONFIG
    assert len(faults.json["faults"]) == 2


def test_config_show_tells_where_each_value_comes_from(atlas: Any, library: Path) -> None:
    rows = {row["section"] + "." + row["key"]: row for row in atlas("config", "show", "--port", "1234", "--json").json}
    assert (rows["api.port"]["value"], rows["api.port"]["origin"]) == (1234, "command line")
    assert (rows["data.dir"]["value"], rows["data.dir"]["name"]) == (str(library), "ATLAS_DATA_DIR")
    assert rows["queue.max_size"]["origin"] == "default"
    text = atlas("config", "show").out.splitlines()
    assert text[0] == "SETTING\tVALUE\tFROM"
    assert f"[data] dir\t{library}\tenvironment, ATLAS_DATA_DIR" in text


def test_an_added_url_can_be_shown_and_is_counted_though_nothing_runs(atlas: Any) -> None:
    added = atlas("add", "https://example.org/a", "--tag", "Read Later", "--json")
    assert added.code == 0
    (answer,) = added.json
    uid = answer["item"]["id"]
    shown = atlas("show", uid, "--json").json
    assert (shown["url"], shown["tags"], shown["source"]) == ("https://example.org/a", ["read later"], "cli")
    assert shown["events"]
    assert uid in atlas("show", uid.lower()).out
    status = atlas("status", "--json").json
    assert status["queue"]["backlog"] == 1
    assert "backlog  1 of" in atlas("status").out


def test_adding_again_says_that_it_is_known(atlas: Any) -> None:
    assert "kept\thttps://example.org/a" in atlas("add", "https://example.org/a").out
    assert "known already\thttps://example.org/a" in atlas("add", "https://example.org/a").out


def test_of_a_list_on_standard_input_each_bad_line_is_named_and_the_good_ones_are_kept(atlas: Any, stdin: Any) -> None:
    stdin(
        b"\xef\xbb\xbf# my list\nhttps://example.org/1\r\n\nnot a url\nhttps://example.org/2\nftp://example.org/\n\xff\n"
    )
    ran = atlas("add", "-")
    assert ran.code == Exit.FAILED
    assert [line.split("\t")[-1] for line in ran.out.splitlines()[1:]] == [
        "https://example.org/1",
        "https://example.org/2",
    ]
    assert [line.split(":")[1].strip() for line in ran.err.splitlines()] == ["line 4", "line 6", "line 7"]
    assert atlas("status", "--json").json["queue"]["backlog"] == 2


def test_an_empty_list_is_no_failure(atlas: Any, stdin: Any) -> None:
    stdin(b"\n# nothing\n")
    ran = atlas("add", "-")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_adding_rings_the_worker(atlas: Any, library: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from supervisor.doorbell import door
    from supervisor.rundir import run_dir_from

    # Socket paths end at 107 bytes: not in pytest's long folder.
    runtime = tmp_path.parent.parent / f"r{os.getpid()}"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(runtime))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.bind(str(door(run_dir_from(os.environ, library), "worker")))
        bell.setblocking(False)
        atlas("add", "https://example.org/a")
        assert bell.recv(16)


@pytest.mark.parametrize("id", ["nonsense", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_showing_what_does_not_exist_ends_with_1_and_one_line(atlas: Any, id: str) -> None:
    ran = atlas("show", id)
    assert (ran.code, ran.out) == (Exit.FAILED, "")
    assert len(ran.err.splitlines()) == 1


def test_a_search_without_a_hit_ends_with_1_as_grep_does(atlas: Any) -> None:
    ran = atlas("search", "nothing", "here")
    assert (ran.code, ran.out, ran.err) == (Exit.FAILED, "", "atlas: 0 found\n")
    found = atlas("search", "nothing", "--json")
    assert (found.code, found.json["total"], found.json["hits"]) == (Exit.FAILED, 0, [])


def test_token_create_prints_the_token_and_nothing_else_and_no_list_ever_shows_it(atlas: Any) -> None:
    ran = atlas("token", "create", "--name", "phone", "--scope", "write")
    secret = ran.out.strip()
    assert (ran.code, ran.err, len(ran.out.splitlines())) == (0, "", 1)
    assert secret.startswith("atlas_")
    (token,) = atlas("token", "list", "--json").json
    assert (token["name"], token["scope"]) == ("phone", "write")
    assert secret not in atlas("token", "list").out
    assert atlas("token", "revoke", "phone").code == 0
    assert atlas("token", "list", "--json").json == []
    assert atlas("token", "revoke", "phone").code == Exit.FAILED


def test_a_token_name_is_given_once(atlas: Any) -> None:
    assert atlas("token", "create", "--name", "phone", "--scope", "read").code == 0
    again = atlas("token", "create", "--name", "phone", "--scope", "read")
    assert (again.code, again.out) == (Exit.FAILED, "")


def test_sign_in_prints_a_link_to_the_api(atlas: Any) -> None:
    ran = atlas("sign-in", "--port", "4321")
    assert ran.code == 0
    assert ran.out.startswith("http://127.0.0.1:4321/sign-in/")


def test_a_feed_is_added_once_and_listed(atlas: Any) -> None:
    assert atlas("feed", "add", "https://example.org/feed", "--every", "600").code == 0
    (feed,) = atlas("feed", "list", "--json").json["feeds"]
    assert (feed["url"], feed["interval_seconds"]) == ("https://example.org/feed", 600)
    assert atlas("feed", "add", "nonsense").code == Exit.FAILED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work for somebody else")
def test_root_on_somebody_elses_data_folder_leaves_no_file_of_its_own(root: Path) -> None:
    """Also where that somebody cannot read the Python that root runs."""
    owner = pwd.getpwnam("nobody").pw_uid
    with tempfile.TemporaryDirectory() as reachable:  # pytest's own folders are closed to others
        Path(reachable).chmod(0o755)
        folder = Path(reachable) / "data"
        folder.mkdir()
        os.chown(folder, owner, -1)
        environment = os.environ | {"PYTHONPATH": str(root), "ATLAS_DATA_DIR": str(folder)}
        for arguments in (
            ["add", "https://example.org/a"],
            ["status"],
            ["token", "create", "--name", "a", "--scope", "read"],
        ):
            command = [sys.executable, "-P", "-m", "supervisor", *arguments]
            ran = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
            assert (ran.returncode, ran.stderr) == (0, "")
        command = [sys.executable, "-P", "-m", "supervisor", "add", "https://example.org/b", "https://bad.org/\x01"]
        ran = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
        assert "https://bad.org/\\x01: " in ran.stderr
        assert {path.stat().st_uid for path in folder.rglob("*")} == {owner}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x", faults=()), 78),
        (StoreTooNew("x"), 78),
        (NotFound("x"), 1),
        (QueueFull("x", retry_after=1), 75),
        (StoreBusy("x"), 75),
        (StoreUnreadable("x"), 69),
        (AtlasError("x"), 1),
    ],
)
def test_each_error_has_its_exit_code(error: AtlasError, code: int) -> None:
    assert exit_code(error) == code


def test_the_module_starts_from_any_folder_and_a_reader_that_leaves_early_is_no_traceback(
    root: Path, tmp_path: Path
) -> None:
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, "-P", "-m", "supervisor", "config", "show"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) in (Exit.OK, Exit.FAILED)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_works_without_standard_input_output_or_error(root: Path, closed: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(root)}
    for command in ("add -", "status", "status --json"):
        line = f'exec "$0" -P -m supervisor {command} {closed}'
        ran = subprocess.run(["sh", "-c", line, sys.executable], env=environment, capture_output=True, check=False)
        assert (ran.returncode, ran.stderr) == (Exit.OK, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_an_output_that_cannot_be_written_is_one_line_and_no_traceback(root: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, "-P", "-m", "supervisor", "status"]
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == Exit.TRY_LATER
    assert ran.stderr == "atlas: [Errno 28] No space left on device\n"


def test_simple_commands_do_not_load_the_heavy_parts(root: Path) -> None:
    """A shell completion or a cron job should not wait for an HTTP client or a web framework."""
    code = (
        "import sys; from supervisor.cli import main; main(['config', 'check']);"
        "heavy = {'quart', 'hypercorn', 'httpx2', 'trafilatura', 'lxml', 'rich', 'trio', 'apsw'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code], env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == b"[]"


def test_without_the_test_tools_the_command_says_how_to_get_them(atlas: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.commands.suite.find_spec", lambda _name: None)
    ran = atlas("test", "-k", "anything")
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.UNAVAILABLE, "", 1)
    assert "start the tests with ./tools/atlas test" in ran.err
