"""What happened, as a digest: two worlds of one seed must come to the same one."""

from __future__ import annotations

import hashlib
from collections import Counter


class Trace:
    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.counts: Counter[str] = Counter()
        self.last: list[str] = []

    def note(self, at: float, what: str, detail: object = "") -> None:
        line = f"{at:.6f} {what} {detail}"
        self._digest.update(line.encode())
        self.counts[what] += 1
        self.last.append(line)
        if len(self.last) > 200:
            del self.last[:100]

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
