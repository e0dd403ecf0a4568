"""`atlas backup` of a library that is damaged."""

from __future__ import annotations

import pytest

from pipeline.errors import StoreDamaged
from pipeline.store.damage import known
from tests.unit.supervisor.backups.hands import Hands
from tests.unit.supervisor.library import Library, damage, root_of


@pytest.mark.parametrize("where", ["items", "sqlite_autoindex_items_2", "captures"])
def test_damage_that_is_met_while_it_is_made_puts_the_library_into_safe_mode(
    hands: Hands, kept: Library, where: str
) -> None:
    good = hands.make().backup.id
    damage(kept.atlas, root_of(kept.atlas, where))
    with pytest.raises(StoreDamaged):
        hands.make()
    assert known(kept.folder) is not None
    assert hands.ids == [good]
    assert hands.names == {good, "archive", ".lock"}
