"""What was deployed and rolled back on this machine, a line each: /opt/atlas/history."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from tools.system.layout import Layout
from tools.system.release import Release


def note(layout: Layout, what: str, before: Release, after: Release, outcome: str) -> None:
    """A disk that is full keeps nothing else from being done."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with contextlib.suppress(OSError), (layout.opt / "history").open("a", encoding="utf-8") as file:
        file.write(f"{at} {what} {before.id} -> {after.id}: {outcome}\n")
