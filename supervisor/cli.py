"""The command line: reads the arguments, runs one command, turns errors into one clear line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final

from observability import redact  # root may have become somebody who cannot import it later
from supervisor.arguments import parser
from supervisor.exits import Exit, exit_code, refused


def main(arguments: list[str]) -> int:
    """Run one command; the return value is the exit code of the process."""
    from pipeline.errors import AtlasError

    # argparse would take options that belong to pytest for its own.
    if arguments[:1] == ["test"] and arguments[1:] not in (["--help"], ["-h"]):
        from supervisor.commands import suite

        return suite.run(arguments[1:])
    args = parser().parse_args(arguments)
    try:
        code = _run(args)
        sys.stdout.flush()
    except AtlasError as error:
        _explain(error)
        return exit_code(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BaseExceptionGroup as group:
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        return Exit.INTERRUPTED  # met inside a task group
    except BrokenPipeError:
        code = Exit.FAILED  # the reader (head, less) has gone
        _forget_output()
    except OSError as error:
        known = refused(error)
        if known is None:
            raise
        print(f"atlas: {error}", file=sys.stderr)
        code = known
        _forget_output()
    return code


# Each is imported when it is asked for.
_MODULES: Final = {
    "up": "roles",
    "demo": "roles",
    "api": "roles",
    "worker": "roles",
    "scheduler": "roles",
    "add": "keep",
    "show": "look",
    "search": "look",
    "status": "look",
    "retry": "retry",
    "replay": "retry",
    "failed": "failed",
    "breakers": "failed",
    "doctor": "doctor",
    "recheck": "recheck",
    "errors": "errors",
    "token": "access",
    "sign-in": "access",
    "backup": "backup",
    "restore": "restore",
    "migrate": "upgrade",
    "rehearse": "upgrade",
    "feed": "feeds",
    "config": "settings",
}


def _run(args: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = import_module(f"supervisor.commands.{_MODULES[args.command]}").run
    return run(args)


def _forget_output() -> None:
    """Nothing may be written at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: Exception) -> None:
    """What happened, where, and what to do; several faults get a line each."""
    message = getattr(error, "message", str(error))
    hint = getattr(error, "hint", "")
    faults = getattr(error, "faults", ())
    lines = [f"atlas: {message}" + (f" ({hint})" if hint and not faults else "")]
    lines += [f"  {fault.where}: {fault.what}" + (f" ({fault.hint})" if fault.hint else "") for fault in faults]
    if faults and hint:
        lines.append(f"  {hint}")
    print("\n".join(redact.text(line) for line in lines), file=sys.stderr)
