"""The arguments of every command, on one screen."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, NoReturn

from supervisor.exits import EXPLAINED, Exit

GROUPS: Final = {
    "Run": {
        "demo": "see it work: ingest a bundled sample site, search it, stay up (--once: check and exit)",
        "up": "run everything in the foreground: api, worker, scheduler",
        "api": "run only the HTTP API and the web pages",
        "worker": "run only the pipeline",
        "scheduler": "do what is due once: feed polls, recount, repairs",
    },
    "Keep and find": {
        "add": "keep URLs, from the arguments or (-) from standard input, one a line",
        "show": "one item: where it is, why, and every step it took",
        "search": "search the library",
        "status": "items per stage, the queue, the roles and their actors",
        "feed": "feeds: add, list",
    },
    "When something went wrong": {
        "failed": "what has failed, why and how often; --by code or site",
        "retry": "try again what failed or waits, by id or --where; fetch again what is kept",
        "replay": "make items again from their archived bodies, without network, and say what changed",
        "breakers": "hosts and providers that are left alone for now",
        "doctor": "check everything, and say what to do about each finding; --deep reads the databases through",
        "recheck": "read the database through; leave safe mode when all of it is sound, enter it when it is not",
        "errors": "unexpected errors, how often and where; with an id its traceback",
    },
    "Backups": {
        "backup": "make one, restored and checked at once; list, verify, drill, copy them",
        "restore": "go back to a backup, with what was accepted since; what is there is kept aside",
    },
    "Upgrades": {
        "migrate": "bring the databases to this release's schema, as the next start would",
        "rehearse": "try this release on a copy of a backup, aside from what runs",
    },
    "Access": {
        "sign-in": "print a one-time link that signs a browser in",
        "token": "tokens for programs: create, list, revoke",
    },
    "Settings and tests": {
        "config": "check the settings, or show them with where each comes from",
        "test": "run the test suite; further arguments go to pytest",
    },
}


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong call ends with our exit code and says where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(Exit.USAGE, f"{self.prog}: {message}\n{self.prog}: see `{self.prog} --help`\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(
        prog="atlas",
        usage="atlas COMMAND [options]",
        description=_overview(),
        epilog=_exit_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"atlas {version()}")
    commands = top.add_subparsers(
        prog="atlas", dest="command", metavar="COMMAND", required=True, help=argparse.SUPPRESS
    )
    common = _common()
    parents: dict[str, list[Parser]] = {"token": [], "feed": [], "config": [], "test": [], "demo": [_place()]}
    helps = {name: text for group in GROUPS.values() for name, text in group.items()}
    made: dict[str, argparse.ArgumentParser] = {
        name: commands.add_parser(
            name,
            help=argparse.SUPPRESS,
            description=text[:1].upper() + text[1:] + ".",
            parents=parents.get(name, [common]),
        )
        for name, text in helps.items()
    }
    made["demo"].add_argument(
        "--once", action="store_true", help="exit when all is checked: 0 only when all is as expected"
    )
    _library(made)
    _again(made)
    _families(made, common)
    _backups(made["backup"])
    made["rehearse"].add_argument("backup", metavar="BACKUP", help="its id; `atlas backup list` prints them")
    made["rehearse"].add_argument(
        "--before",
        type=Path,
        metavar="LAUNCHER",
        help="tools/atlas of a release that has to be able to use the copy too",
    )
    restored = "of `backup list`; without one a restore that was cut off is finished"
    made["restore"].add_argument("id", nargs="?", metavar="ID", help=restored)
    _json(made["restore"])
    made["test"].add_argument("rest", nargs=argparse.REMAINDER, metavar="…", help="arguments for pytest")
    return top


def _library(made: dict[str, argparse.ArgumentParser]) -> None:
    made["add"].add_argument("urls", nargs="+", metavar="URL", help="what to keep; - reads standard input")
    made["add"].add_argument("--tag", action="append", default=[], dest="tags", metavar="TAG", help="may be repeated")
    made["show"].add_argument("id", metavar="ID")
    made["search"].add_argument(
        "query", nargs="+", metavar="QUERY", help='words, "a phrase", prefix*, -not, OR, site:…'
    )
    made["search"].add_argument("--limit", type=_limit, default=20, help="1 to 100 (20)")
    for name in ("add", "show", "search", "status"):
        _json(made[name])


def _again(made: dict[str, argparse.ArgumentParser]) -> None:
    for name in ("retry", "replay"):
        made[name].add_argument("ids", nargs="*", metavar="ID", help="items; or use --where")
        made[name].add_argument("--where", metavar="SELECTION", help=_SELECTION)
        made[name].add_argument("--dry-run", action="store_true", help="say what would be done again, and stop")
    replay = made["replay"]
    replay.add_argument("--from", dest="start", required=True, choices=("validate", "extract", "enrich", "finalise"))
    replay.add_argument("--wait", action="store_true", help="wait for the end, then say what has changed")
    made["failed"].add_argument("--where", metavar="SELECTION", help=_SELECTION)
    made["failed"].add_argument("--by", choices=("code", "site"), help="in groups, the largest first")
    made["failed"].add_argument("--limit", type=_limit, default=100, help="1 to 100 (100)")
    made["doctor"].add_argument("--deep", action="store_true", help="also read every page of both databases: minutes")
    made["doctor"].epilog = (
        "exit codes: 0 nothing fails, though warnings may be there; 1 something does, be it that the database cannot"
        " be opened; 78 the settings have faults"
    )
    made["errors"].add_argument("id", nargs="?", metavar="ID", help="of one: all that is known of it")
    made["errors"].add_argument("--limit", type=_limit, default=100, help="1 to 100 (100)")
    for name in ("failed", "retry", "replay", "breakers", "doctor", "recheck", "errors"):
        _json(made[name])


_SELECTION: Final = "error:timeout site:example.com stage:acquire verdict:blocked tag:x older:7d newer:24h; - negates"


def _families(made: dict[str, argparse.ArgumentParser], common: Parser) -> None:
    token = made["token"].add_subparsers(dest="action", metavar="create|list|revoke", required=True)
    create = token.add_parser("create", parents=[common], help="print a new token, and nothing else")
    create.add_argument("--name", required=True, help="what uses it, for example: phone")
    create.add_argument("--scope", required=True, choices=("read", "write", "admin"))
    _json(token.add_parser("list", parents=[common], help="tokens and signed-in browsers"))
    token.add_parser("revoke", parents=[common], help="end a token").add_argument("name", metavar="NAME")

    feed = made["feed"].add_subparsers(dest="action", metavar="add|list", required=True)
    add = feed.add_parser("add", parents=[common], help="poll a feed from now on")
    add.add_argument("url", metavar="URL")
    add.add_argument(
        "--every", type=_interval, metavar="SECONDS", help="between two polls ([discover] interval_seconds)"
    )
    _json(feed.add_parser("list", parents=[common], help="all feeds"))

    config = made["config"].add_subparsers(dest="action", metavar="check|show", required=True)
    for name, text in (("check", "report every fault at once"), ("show", "every setting and where it comes from")):
        _json(config.add_parser(name, parents=[common], help=text))


def _backups(backup: argparse.ArgumentParser) -> None:
    """Without an action one is made; options may stand before the action and after it."""
    _json(backup)
    after = _common(argparse.SUPPRESS)
    after.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    actions = backup.add_subparsers(dest="action", metavar="list|verify|drill|copy")
    actions.add_parser("list", parents=[after], help="those that are there, and when each was checked")
    verify = actions.add_parser("verify", parents=[after], help="restore one aside, and compare it with its manifest")
    which = verify.add_mutually_exclusive_group()
    which.add_argument("id", nargs="?", metavar="ID", help="of `backup list` (the newest)")
    which.add_argument("--all", action="store_true", help="every one")
    actions.add_parser("drill", parents=[after], help="restore the newest for real, with all bodies, and time it")
    actions.add_parser("copy", parents=[after], help="bring what was checked to [backup] copy_to")


def _common(default: str | None = None) -> Parser:
    common = _place(default)
    common.add_argument("--config", metavar="FILE", type=Path, default=default, help="another config.toml")
    return common


def _place(default: str | None = None) -> Parser:
    group = Parser(add_help=False, argument_default=default)
    group.add_argument("--data", metavar="DIR", help="the data folder ([data] dir)")
    group.add_argument("--port", metavar="N", type=_port, help="the port of the API ([api] port)")
    return group


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 100):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 100")
    return int(text)


def _interval(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 300 <= int(text) <= 604_800):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 300 to 604800")
    return int(text)


def _overview() -> str:
    lines = ["Atlas keeps what you want to read: it fetches, checks, extracts, indexes, and never loses it.", ""]
    for group, commands in GROUPS.items():
        lines += [f"{group}:", *(f"  {name:<10} {text}" for name, text in commands.items()), ""]
    return "\n".join(
        [*lines, "Each command has its own --help. They work on the data folder, also while nothing runs."]
    )


def _exit_codes() -> str:
    return "\n".join(["exit codes:", *(f"  {int(code):>3}  {text}" for code, text in EXPLAINED.items())])


def version() -> str:
    """The release, from pyproject.toml, which is not installed but lies in the checkout."""
    import tomllib

    with (Path(__file__).resolve().parent.parent / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
