"""OPERATIONS.md, Moving house, without units: what is kept, who may use it and what waits go with a backup."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from supervisor.instance import Instance


@pytest.mark.slow
def test_the_library_its_tokens_and_its_waiting_items_go_with_a_backup_to_another_machine(tmp_path: Path) -> None:
    old, new = Instance(tmp_path / "old"), Instance(tmp_path / "new")
    old.command("add", "-", given="\n".join(f"https://example.org/{number}" for number in range(5)))
    old.command("token", "create", "--name", "phone", "--scope", "write")
    old.command("backup")
    shutil.copytree(tmp_path / "old" / "backups", tmp_path / "new" / "backups")
    (backup,) = json.loads(new.command("backup", "list", "--json"))["backups"]
    assert "There was no library here" in new.command("restore", backup["id"])
    assert "phone" in (tokens := old.command("token", "list"))
    assert new.command("token", "list") == tokens
    there, here = (counts(machine) for machine in (old, new))
    assert here == there
    assert sum(here.values()) == 5


def counts(machine: Instance) -> dict[tuple[int, str], int]:
    found = json.loads(machine.command("status", "--json"))["counts"]
    return {(each["stage"], each["state"]): each["n"] for each in found}
