"""`atlas test`: pytest on the checkout's own tests, with the arguments passed through."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Final

from supervisor.commands import output
from supervisor.config import CHECKOUT
from supervisor.exits import Exit

# Two processes, each taking from the other's rest when it has none; a later `-n 0` of the caller's wins.
_SHARED: Final = ("-n", "2", "--dist", "worksteal")


def run(arguments: list[str]) -> Exit:
    """Becomes pytest, whose exit code and last line are the answer. Runs in the checkout."""
    if find_spec("pytest") is not None:
        os.chdir(CHECKOUT)
        # Without a shell and without a name looked up on PATH: our own interpreter.
        os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *_SHARED, *arguments])  # noqa: S606
    output.complaint("the test tools are not installed; start the tests with ./tools/atlas test, which installs them")
    return Exit.UNAVAILABLE
