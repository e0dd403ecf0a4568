"""The configuration: one strict decode of every source into one struct; all faults are reported at once."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from observability import redact
from pipeline.errors import ConfigError, Fault
from supervisor.settings import Config
from supervisor.sources import FIELDS, SECTIONS, Given, Sources, gather

CHECKOUT: Final = Path(__file__).resolve().parent.parent
_TRUE: Final = {"1", "true", "yes", "on"}
_FALSE: Final = {"0", "false", "no", "off"}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting with where its value comes from, for people. `value` is masked when it is a secret."""

    section: str
    key: str
    value: object
    origin: str  # "default", a file, "environment", "command line", "credentials directory"
    name: str  # what it is called there; "" for a default


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration without faults, where each value came from, and what deserves a look."""

    config: Config
    settings: tuple[Setting, ...]
    warnings: tuple[str, ...]


def load(
    *,
    flags: Mapping[tuple[str, str], str] | None = None,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    root: Path = CHECKOUT,
    cwd: Path | None = None,
) -> Loaded:
    """Defaults < config.toml < .env < environment < credentials directory < `flags`. ConfigError lists all faults.

    `root` holds config.toml and .env; relative paths start where they are written: the file's folder, or `cwd`.
    """
    at = cwd or Path.cwd()
    sources = gather(
        root=root,
        cwd=at,
        environment=os.environ if environment is None else environment,
        flags=flags or {},
        file=None if file is None else at / file,
    )
    faults = list(sources.faults)
    sections: dict[str, Any] = {section: _decode_section(section, sources, faults) for section in SECTIONS}
    config = _with_folder(Config(**sections), sources, root)
    faults += _impossible(config)
    if faults:
        count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
        raise ConfigError(
            f"the configuration has {count}",
            faults=tuple(faults),
            hint="config.example.toml explains every setting; `atlas config check` tests a change",
        )
    return Loaded(config=config, settings=_described(config, sources), warnings=tuple(sources.warnings))


def _decode_section(section: str, sources: Sources, faults: list[Fault]) -> msgspec.Struct:
    """The section's struct; a faulty value is reported and replaced by its default, so that the rest is checked.

    Values that a later source overrides are checked too: they would be the next surprise.
    """
    good: dict[str, object] = {}
    all_given = [(key, given) for (owner, key), many in sources.given.items() if owner == section for given in many]
    for key, given in all_given:
        wanted = FIELDS[section, key].type
        try:
            good[key] = _decode(given, wanted)
        except msgspec.ValidationError as error:
            said = f"{given.name}: {_said(error, wanted)}, not {_shown(key, given.value)}"
            faults.append(Fault(where=given.origin, what=said))
    try:
        return SECTIONS[section](**good)
    except ValueError as error:
        origins = dict.fromkeys(given.origin for _, given in all_given)
        faults.append(Fault(where=", ".join(origins), what=f"[{section}] {error}"))
        return SECTIONS[section]()


def _decode(given: Given, wanted: object) -> object:
    """A value as `wanted`. Text from variables and flags is read as what is wanted; a file's types must fit."""
    if not given.textual or not isinstance(given.value, str):
        return _finite(msgspec.convert(given.value, type=wanted))
    kind = msgspec.inspect.type_info(wanted)
    value: object = given.value.strip()
    if isinstance(kind, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
        value = [part.strip() for part in given.value.split(",") if part.strip()]
    elif isinstance(kind, msgspec.inspect.BoolType):
        word = given.value.strip().lower()
        value = True if word in _TRUE else False if word in _FALSE else given.value
    return _finite(msgspec.convert(value, type=wanted, strict=False))


def _finite(value: object) -> object:
    """No deadline is infinite here, though TOML and Python can write it."""
    if isinstance(value, float) and not math.isfinite(value):
        raise msgspec.ValidationError("Expected a finite number")
    return value


def _said(error: msgspec.ValidationError, wanted: object) -> str:
    kind = msgspec.inspect.type_info(wanted)
    if isinstance(kind, msgspec.inspect.LiteralType):
        return f"expected one of {', '.join(map(str, kind.values))}"
    sentence = re.sub(r", got .*| - at `.*", "", str(error))
    return sentence[:1].lower() + sentence[1:]


def _shown(key: str, value: object) -> str:
    shown = redact.value(key, value)
    return repr(shown) if len(repr(shown)) <= 60 else f"{repr(shown)[:60]}…"


def _with_folder(config: Config, sources: Sources, root: Path) -> Config:
    given = sources.winner(("data", "dir"))
    folder = root if given is None else given.folder
    absolute = Path(os.path.abspath(folder / Path(config.data.dir).expanduser()))  # noqa: PTH100  a symlink stays as written
    return msgspec.structs.replace(config, data=msgspec.structs.replace(config.data, dir=str(absolute)))


def _impossible(config: Config) -> list[Fault]:
    """What no single setting can tell: values that contradict each other or the machine."""
    rules = (
        (config.queue.max_size <= config.queue.max_backlog, "[queue] max_size is larger than max_backlog"),
        (config.retry.base_seconds <= config.retry.cap_seconds, "[retry] base_seconds is larger than cap_seconds"),
        (config.database.path != config.database.archive_path, "[database] path and archive_path name the same file"),
        (config.backups != config.folder, "[backup] dir is the data folder itself; name one inside it, or elsewhere"),
        (_can_be_folder(config.folder), f"[data] dir: {config.folder} is not a folder, nor can it become one"),
    )
    return [Fault(where="the settings together", what=what) for holds, what in rules if not holds]


def _can_be_folder(path: Path) -> bool:
    """Whether the first part of the path that exists is a folder."""
    for part in (path, *path.parents):
        try:
            return stat.S_ISDIR(part.stat().st_mode)
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return False


def _described(config: Config, sources: Sources) -> tuple[Setting, ...]:
    rows = []
    for section, key in FIELDS:
        given = sources.winner((section, key))
        value = redact.value(key, getattr(getattr(config, section), key))
        origin, name = ("default", "") if given is None else (given.origin, given.name)
        rows.append(Setting(section=section, key=key, value=value, origin=origin, name=name))
    return tuple(rows)
