"""Where settings come from: config.toml, .env, the environment, flags, the credentials directory."""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from observability import redact
from pipeline.errors import Fault
from supervisor import dotenv
from supervisor.settings import Config

PREFIX: Final = "ATLAS_"
CONFIG_FILE: Final = "ATLAS_CONFIG"  # another config.toml
ENV_FILE: Final = "ATLAS_ENV_FILE"  # another .env
ALIASES: Final = {
    "ATLAS_DB_POOL_SIZE": ("database", "pool_size"),
    "ATLAS_MAX_QUEUE_SIZE": ("queue", "max_size"),
    "GOOGLE_SEARCH_API_KEY": ("fallback", "google_key"),
    "GOOGLE_SEARCH_ENGINE_ID": ("fallback", "google_engine"),
}

SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {field.name: field.type for field in msgspec.structs.fields(Config)}
FIELDS: Final = {
    (section, field.name): field for section, struct in SECTIONS.items() for field in msgspec.structs.fields(struct)
}
VARIABLES: Final = {f"{PREFIX}{section}_{key}".upper(): (section, key) for section, key in FIELDS} | ALIASES


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One value as it was written. `folder` is what a relative path in it starts from."""

    value: object
    origin: str  # what a person would open: "config.toml", ".env", "environment", "--port"
    name: str  # what stands there: "[api] port", "ATLAS_API_PORT"
    folder: Path
    textual: bool = True  # False where the file format has types of its own


class Sources(msgspec.Struct, kw_only=True):
    """All that was given, in the order in which it counts (the last wins), with the faults met on the way."""

    given: dict[tuple[str, str], list[Given]] = {}
    faults: list[Fault] = []
    warnings: list[str] = []

    def take(self, setting: tuple[str, str], given: Given) -> None:
        self.given.setdefault(setting, []).append(given)

    def winner(self, setting: tuple[str, str]) -> Given | None:
        return self.given[setting][-1] if setting in self.given else None


def gather(
    *, root: Path, cwd: Path, environment: Mapping[str, str], flags: Mapping[tuple[str, str], str], file: Path | None
) -> Sources:
    """Read every source in order: config.toml < .env < environment < credentials directory < flags."""
    found = Sources()
    env_file = Path(environment.get(ENV_FILE) or root / ".env")
    from_file = _read_env_file(env_file, found, must_exist=ENV_FILE in environment)
    named = file or _config_named(environment, from_file, cwd, env_file.parent)
    _read_toml(named or root / "config.toml", found, must_exist=named is not None)
    _take_variables(from_file, found, str(env_file), env_file.parent)
    _take_variables(environment, found, "environment", cwd)
    if folder := environment.get("CREDENTIALS_DIRECTORY"):
        _take_credentials(Path(folder), found)
    for (section, key), value in flags.items():
        name = f"--{'data' if section == 'data' else key}"
        found.take((section, key), Given(value=value, origin="command line", name=name, folder=cwd))
    return found


def near(name: str, known: Iterable[str]) -> str:
    """A hint that names the known word closest to `name`; empty when none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


def _config_named(
    environment: Mapping[str, str], from_file: Mapping[str, str], cwd: Path, env_folder: Path
) -> Path | None:
    if environment.get(CONFIG_FILE):
        return cwd / environment[CONFIG_FILE]
    return env_folder / from_file[CONFIG_FILE] if from_file.get(CONFIG_FILE) else None


def _read_env_file(path: Path, found: Sources, *, must_exist: bool) -> dict[str, str]:
    content = _read(path, found, must_exist=must_exist)
    if content is None:
        return {}
    variables, faults = dotenv.parse(content, str(path))
    found.faults += faults
    if any(redact.is_secret(name) for name in variables) and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        found.warnings.append(f"{path} holds secrets and others can read it; run: chmod 600 {path}")
    return variables


def _read_toml(path: Path, found: Sources, *, must_exist: bool) -> None:
    content = _read(path, found, must_exist=must_exist)
    if content is None:
        return
    try:
        tables = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        found.faults.append(Fault(where=str(path), what=f"not valid TOML: {error}"))
        return
    for section, table in tables.items():
        if section not in SECTIONS or not isinstance(table, dict):
            hint = near(section, SECTIONS) if section not in SECTIONS else f"write [{section}] on a line of its own"
            what = (
                f"[{section}] is no section of Atlas" if isinstance(table, dict) else f"{section} stands in no section"
            )
            found.faults.append(Fault(where=str(path), what=what, hint=hint))
            continue
        for key, value in table.items():
            _take_key(path, section, key, value, found)


def _take_key(path: Path, section: str, key: str, value: object, found: Sources) -> None:
    if redact.is_secret(key) and (section, key) in FIELDS and value != "":
        variable = f"{PREFIX}{section}_{key}".upper()
        found.faults.append(
            Fault(
                where=str(path),
                what=f"[{section}] {key} is a secret, which does not belong into this file",
                hint=f"give it as {variable} in the environment, in .env (chmod 600) or as a systemd credential",
            )
        )
        return
    if (section, key) in FIELDS:
        name = f"[{section}] {key}"
        given = Given(value=value, origin=str(path), name=name, folder=path.parent, textual=False)
        found.take((section, key), given)
        return
    hint = near(key, (known for owner, known in FIELDS if owner == section))
    found.faults.append(Fault(where=str(path), what=f"[{section}] {key} is no setting of Atlas", hint=hint))


def _take_variables(variables: Mapping[str, str], found: Sources, origin: str, folder: Path) -> None:
    ours = {name: value for name, value in variables.items() if name.startswith(PREFIX) or name in ALIASES}
    # Aliases first: where both stand, the full name counts.
    for name in sorted(ours, key=lambda name: (name not in ALIASES, name)):
        if name in VARIABLES:
            found.take(VARIABLES[name], Given(value=ours[name], origin=origin, name=name, folder=folder))
        elif name not in {CONFIG_FILE, ENV_FILE}:
            hint = near(name, VARIABLES)
            found.faults.append(Fault(where=origin, what=f"{name} is no setting of Atlas", hint=hint))


def _take_credentials(folder: Path, found: Sources) -> None:
    """systemd's LoadCredential: a file named like the variable holds its value. Files of other names are not ours."""
    for name, setting in VARIABLES.items():
        if not (folder / name).is_file():
            continue
        content = _read(folder / name, found, must_exist=True)
        if content is not None:
            value = content.removesuffix("\n")
            found.take(setting, Given(value=value, origin="credentials directory", name=name, folder=folder))


def _read(path: Path, found: Sources, *, must_exist: bool) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if must_exist:
            found.faults.append(Fault(where=str(path), what="the file does not exist"))
    except (OSError, UnicodeDecodeError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "it is not UTF-8 text"
        found.faults.append(Fault(where=str(path), what=f"the file cannot be read: {reason}"))
    return None
