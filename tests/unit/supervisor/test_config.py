"""The configuration: what wins, what is refused, and that every fault is told at once."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pipeline.errors import ConfigError, Fault
from supervisor.config import Loaded, load
from supervisor.settings import Config
from supervisor.sources import FIELDS, VARIABLES


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


def loaded(checkout: Path, environment: dict[str, str] | None = None, **more: object) -> Loaded:
    return load(root=checkout, cwd=checkout, environment=environment or {}, **more)


def faults(checkout: Path, environment: dict[str, str] | None = None, **more: object) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        loaded(checkout, environment, **more)
    return caught.value.faults


def test_without_any_source_every_setting_has_its_default_and_the_data_lies_in_the_checkout(checkout: Path) -> None:
    found = loaded(checkout)
    assert found.config.folder == checkout / "data"
    assert msgspec.structs.replace(found.config, data=Config().data) == Config()
    assert {setting.origin for setting in found.settings} == {"default"}


def test_each_source_counts_more_than_the_one_before(checkout: Path, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    environment: dict[str, str] = {}
    flags: dict[tuple[str, str], str] = {}

    def port() -> tuple[int, str]:
        found = loaded(checkout, environment, flags=flags)
        origin = next(each.origin for each in found.settings if (each.section, each.key) == ("api", "port"))
        return found.config.api.port, origin

    assert port() == (7444, "default")
    (checkout / "config.toml").write_text("[api]\nport = 1\n")
    assert port() == (1, str(checkout / "config.toml"))
    (checkout / ".env").write_text("ATLAS_API_PORT=2\n")
    assert port() == (2, str(checkout / ".env"))
    environment["ATLAS_API_PORT"] = "3"
    assert port() == (3, "environment")
    (credentials / "ATLAS_API_PORT").write_text("4\n")
    environment["CREDENTIALS_DIRECTORY"] = str(credentials)
    assert port() == (4, "credentials directory")
    flags["api", "port"] = "5"
    assert port() == (5, "command line")


def test_every_fault_of_every_source_is_told_at_once_with_its_place_and_a_near_miss(checkout: Path) -> None:
    (checkout / "config.toml").write_text('[queue]\nmax_sise = 5\nmax_backlog = "many"\n[quue]\n[api]\nport = 70000\n')
    (checkout / ".env").write_text("ATLAS_LOG_LEVEL=loud\nATLAS_QUEUE_MAX_SIZE=few\nthis is no line\n")
    found = faults(checkout, {"ATLAS_QUEUE_MAX_SIZE": "0", "ATLAS_DATA_DIRR": "x", "ATLAS_NET_DNS_SECONDS": "inf"})
    told = {(Path(fault.where).name, fault.what, fault.hint) for fault in found}
    assert told == {
        ("config.toml", "[queue] max_sise is no setting of Atlas", "did you mean max_size?"),
        ("config.toml", "[quue] is no section of Atlas", "did you mean queue?"),
        ("config.toml", "[queue] max_backlog: expected `int`, not 'many'", ""),
        ("config.toml", "[api] port: expected `int` <= 65535, not 70000", ""),
        (".env", "ATLAS_LOG_LEVEL: expected one of debug, error, info, warning, not 'loud'", ""),
        (".env", "ATLAS_QUEUE_MAX_SIZE: expected `int`, not 'few'", ""),
        (".env:3", "not a line of the form NAME=value", ""),
        ("environment", "ATLAS_QUEUE_MAX_SIZE: expected `int` >= 1, not '0'", ""),
        ("environment", "ATLAS_DATA_DIRR is no setting of Atlas", "did you mean ATLAS_DATA_DIR?"),
        ("environment", "ATLAS_NET_DNS_SECONDS: expected a finite number, not 'inf'", ""),
    }


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"ATLAS_QUEUE_MAX_SIZE": "9", "ATLAS_QUEUE_MAX_BACKLOG": "8"}, "max_size is larger than max_backlog"),
        ({"ATLAS_RETRY_BASE_SECONDS": "9", "ATLAS_RETRY_CAP_SECONDS": "8"}, "base_seconds is larger than cap_seconds"),
        ({"ATLAS_DATABASE_PATH": "archive.db"}, "name the same file"),
        ({"ATLAS_NET_ALLOW_NETWORKS": "10.0.0.0/8,nonsense"}, "nonsense"),
        ({"ATLAS_DATA_DIR": "/dev/null"}, "is not a folder"),
        ({"ATLAS_DATA_DIR": "/dev/null/below"}, "nor can it become one"),
        ({"ATLAS_CONFIG": "missing.toml"}, "the file does not exist"),
    ],
)
def test_values_that_contradict_each_other_or_the_machine_are_refused(
    checkout: Path, environment: dict[str, str], told: str
) -> None:
    assert [told in fault.what for fault in faults(checkout, environment)] == [True]


def test_a_broken_file_is_one_fault_and_does_not_hide_the_others(checkout: Path) -> None:
    (checkout / "config.toml").write_text("port 7444\n")
    (checkout / ".env").write_bytes(b"ATLAS_LOG_LEVEL=\xff\n")
    told = [fault.what for fault in faults(checkout, {"ATLAS_API_PORT": "x"})]
    assert len(told) == 3
    assert any("not valid TOML" in what for what in told)
    assert any("it is not UTF-8 text" in what for what in told)


def test_relative_data_folders_start_where_they_are_written(checkout: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.toml").write_text('[data]\ndir = "here"\n')
    assert load(root=checkout, cwd=elsewhere, environment={}).config.folder == checkout / "data"
    by_file = load(root=checkout, cwd=tmp_path, environment={}, file=Path("elsewhere/other.toml"))
    assert by_file.config.folder == elsewhere / "here"
    by_variable = load(root=checkout, cwd=elsewhere, environment={"ATLAS_DATA_DIR": "there/../where"})
    assert by_variable.config.folder == elsewhere / "where"


def test_the_known_aliases_work_and_the_full_name_counts_more(checkout: Path) -> None:
    config = loaded(checkout, {"ATLAS_DB_POOL_SIZE": "7", "ATLAS_MAX_QUEUE_SIZE": "8"}).config
    assert (config.database.pool_size, config.queue.max_size) == (7, 8)
    config = loaded(checkout, {"ATLAS_MAX_QUEUE_SIZE": "8", "ATLAS_QUEUE_MAX_SIZE": "9"}).config
    assert config.queue.max_size == 9


def test_variables_are_read_as_the_type_that_the_setting_has(checkout: Path) -> None:
    environment = {
        "ATLAS_NET_ALLOW_NETWORKS": " 127.0.0.0/8, ::1/128 ,",
        "ATLAS_WORKER_DRAIN_SECONDS": "2",
        "ATLAS_API_HOST": "0.0.0.0",
        "ATLAS_API_PORT": " 80 ",
    }
    config = loaded(checkout, environment).config
    assert config.net.allow_networks == ("127.0.0.0/8", "::1/128")
    assert (config.worker.drain_seconds, config.api.host, config.api.port) == (2.0, "0.0.0.0", 80)


def test_a_search_account_is_also_known_by_the_names_that_others_give_it(checkout: Path) -> None:
    (checkout / ".env").write_text("GOOGLE_SEARCH_API_KEY=abc\nGOOGLE_SEARCH_ENGINE_ID=def\n")
    (checkout / ".env").chmod(0o600)
    found = loaded(checkout)
    assert found.warnings == ()
    assert (found.config.fallback.google_key, found.config.fallback.google_engine) == ("abc", "def")
    assert "google" not in found.config.fallback.off
    full = loaded(checkout, {"GOOGLE_SEARCH_API_KEY": "x", "ATLAS_FALLBACK_GOOGLE_KEY": "y"})
    assert full.config.fallback.google_key == "y"


SECRETS = [
    key for section, key in FIELDS if section == "fallback" and key in {"google_key", "google_engine", "brave_key"}
]


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_in_the_file_of_settings_is_a_fault_that_says_where_it_belongs(checkout: Path, key: str) -> None:
    (checkout / "config.toml").write_text(f'[fallback]\n{key} = "hunter2"\n')
    (fault,) = faults(checkout)
    assert "is a secret" in fault.what
    assert f"ATLAS_FALLBACK_{key.upper()}" in fault.hint
    assert "hunter2" not in repr(fault)
    (checkout / "config.toml").write_text(f'[fallback]\n{key} = ""\n')
    loaded(checkout)


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_is_masked_wherever_settings_are_shown(checkout: Path, tmp_path: Path, key: str) -> None:
    (tmp_path / f"ATLAS_FALLBACK_{key.upper()}").write_text("hunter2\n")
    found = loaded(checkout, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert getattr(found.config.fallback, key) == "hunter2"
    assert "hunter2" not in repr(found.settings)


def test_an_empty_list_of_providers_means_none_and_an_unknown_one_is_a_fault(checkout: Path) -> None:
    assert loaded(checkout, {"ATLAS_FALLBACK_PROVIDERS": ""}).config.fallback.providers == ()
    some = loaded(checkout, {"ATLAS_FALLBACK_PROVIDERS": "wayback, browser"}).config.fallback
    assert some.providers == ("wayback", "browser")
    (checkout / "config.toml").write_text("[fallback]\nproviders = []\n")
    assert loaded(checkout).config.fallback.providers == ()
    (fault,) = faults(checkout, {"ATLAS_FALLBACK_PROVIDERS": "wayback,bing"})
    assert "knows no bing; there are browser, wayback" in fault.what


def test_a_readable_env_file_that_holds_a_secret_is_warned_of(checkout: Path) -> None:
    env = checkout / ".env"
    env.write_text("GOOGLE_SEARCH_API_KEY=abc\n")
    env.chmod(0o644)
    (warning,) = loaded(checkout).warnings
    assert "chmod 600" in warning
    assert "abc" not in warning


def test_no_two_settings_share_a_variable() -> None:
    names = [f"ATLAS_{section}_{key}".upper() for section, key in FIELDS]
    assert len(set(names)) == len(names)
    assert set(names) <= set(VARIABLES)
