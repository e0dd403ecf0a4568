"""Atlas under a booted systemd: installed by the recipe, killed, hung, cut off, restarted under load, booted again."""

from __future__ import annotations

import pytest

from tests.systemd.installed import Installed

pytestmark = pytest.mark.systemd


def test_the_recipe_installs_services_that_are_enabled_and_well(installed: Installed) -> None:
    assert installed.is_well()
    for unit in ("atlas-api.socket", "atlas-api.service", "atlas-worker.service"):
        assert installed.systemctl("is-active", unit) == "active"
        assert installed.systemctl("is-enabled", unit) == "enabled"
    assert installed.systemctl("--failed", "--no-legend") == ""
