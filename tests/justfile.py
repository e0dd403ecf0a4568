"""The Justfile as data, as `just` itself reads it."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

JUST = str(Path(sysconfig.get_path("scripts")) / "just")


@cache
def recipes() -> dict[str, dict[str, Any]]:
    """Every recipe, the private ones too: parameters, doc, attributes."""
    told = subprocess.run([JUST, "--dump", "--dump-format", "json"], cwd=ROOT, capture_output=True, check=True)
    found: dict[str, dict[str, Any]] = json.loads(told.stdout)["recipes"]
    return found


def group_of(recipe: dict[str, Any]) -> str | None:
    return next((each["group"] for each in recipe["attributes"] if isinstance(each, dict) and "group" in each), None)
