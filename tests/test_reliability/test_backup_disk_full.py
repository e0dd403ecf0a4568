"""F7 of backups: their disk is full or fills up meanwhile: nothing is half there, and the ones before are good."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import StoreFull
from supervisor.backups import files
from supervisor.backups.check import check_again
from tests.test_reliability.sizes import figure
from tests.test_reliability.small_disk import MIB, small_disk
from tests.unit.supervisor.backups.hands import Hands
from tests.unit.supervisor.library import Library

pytestmark = pytest.mark.fault

PARTS = ("copy", "count", "pack", "archive", "check")


def test_wherever_its_disk_fills_up_it_is_told_and_nothing_is_half_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SPARE", MIB)
    library = Library(tmp_path / "data")
    library.keep(60)
    with small_disk(tmp_path / "disk", mib=16) as disk:
        hands = Hands(library.folder, dir=str(disk.path / "backups"))
        before = hands.make().backup
        names, told = hands.names, []
        library.keep(60, first=60)

        disk.fill(leave=MIB + 100_000)
        with pytest.raises(StoreFull, match="a backup needs"):
            hands.make()
        disk.empty()
        assert hands.names == names

        for part in PARTS:

            def fill(begun: str, part: str = part) -> None:
                if begun == part:
                    disk.fill(leave=0 if part != "check" else 4096)

            with pytest.raises(StoreFull) as caught:
                hands.make(say=fill)
            told.append(f"{part}: {caught.value.code}")
            disk.empty()
            assert hands.names == names, part
            assert hands.ids == [before.id]
        with hands.folder.locked():
            assert check_again(hands.folder, before, hands.clock, hands.heard).is_good
        assert hands.make().backup.is_good
    figure("backup_disk_full", f"refused before, and filled at {', '.join(told)}: nothing half there")
