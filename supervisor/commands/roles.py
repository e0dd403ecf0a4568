"""`atlas up`, `demo`, `api`, `worker`, `scheduler`: the roles, which `supervisor.wiring` puts together."""

from __future__ import annotations

import argparse
from pathlib import Path

from supervisor.commands.session import load_settings


def run(args: argparse.Namespace) -> int:
    """The role's own exit code."""
    if args.command == "demo":
        from supervisor.demo import run_demo

        return run_demo(once=args.once, port=args.port, data=None if args.data is None else Path(args.data))
    config = load_settings(args).config
    from supervisor import wiring  # after the settings: with faults in them nothing heavy is loaded

    match args.command:
        case "api":
            return wiring.run_api(config)
        case "worker":
            return wiring.run_worker(config)
        case "scheduler":
            return wiring.run_scheduler(config)
        case _:
            return wiring.run_up(config, flags=flags(args))


def flags(args: argparse.Namespace) -> tuple[str, ...]:
    """The settings of this call as options, for the processes that `up` starts."""
    given = {"--data": args.data, "--port": args.port, "--config": args.config}
    return tuple(part for name, value in given.items() if value is not None for part in (name, str(value)))
