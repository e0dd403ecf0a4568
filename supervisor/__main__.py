"""`python -P -m supervisor …`: what the launcher `tools/atlas` starts."""

from __future__ import annotations

import os
import sys

from supervisor.cli import main


def open_what_is_closed() -> None:
    """Started without standard input, output or error, a file of ours would become it, and be written into."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open as long as we are


if __name__ == "__main__":
    open_what_is_closed()
    sys.exit(main(sys.argv[1:]))
