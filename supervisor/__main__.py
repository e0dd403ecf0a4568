"""`python -P -m supervisor …`: what the launcher `tools/atlas` starts."""

from __future__ import annotations

import sys

from supervisor.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
