"""`just coverage`: the tests with the branches they take in our packages, in every process that they start.

Arguments go to pytest, but `--reports FOLDER` (build/coverage). Ends with an error when a test fails, when all files
together are covered less than `TOTAL`, or one of them less than `EACH`. Measured is lines and branches together.

The tests start roles, commands and parse processes, some with an empty environment, some as another user. So a line in
the environment of .venv (a .pth file) starts the measuring in each of its processes while this one lives, and the data
goes to a folder that all may write. What ends by SIGKILL leaves no data.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from coverage import Coverage

ROOT: Final = Path(__file__).resolve().parent.parent
CONFIGURATION: Final = ROOT / "pyproject.toml"
REPORTS: Final = "build/coverage"
TOTAL: Final = 95.0
EACH: Final = 85.0
PACKAGES: Final = ("supervisor", "gateway", "stages", "pipeline", "observability")
_SHARED: Final = ("-n", "2", "--dist", "worksteal")
# Run besides the default tests, with all their cases: what only slow tests and faults take part in.
ALSO: Final = (
    (
        "-m",
        "slow or fault",
        "tests/test_integration/test_demo.py",
        "tests/test_integration/test_rehearsal.py",
        "tests/test_reliability/test_corrupted.py",
        "tests/unit/supervisor/backups/test_backup_elsewhere.py",
        "tests/docs/test_moving_house.py",
    ),
)
# Before coverage's own a1_coverage.pth, which looks at the environment. One line, for site.py runs them one by one.
_HOOK: Final = f"a0_atlas_measured_{os.getpid()}.pth"
_HOOK_LINE: Final = "import os; os.path.isdir({process!r}) and os.environ.update({settings!r})\n"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """What the report says of one file, in per cent."""

    name: str
    covered: float


def files_of(report: dict[str, Any]) -> list[File]:
    """The files of a JSON report, the least covered one first."""
    found = [File(name=name, covered=each["summary"]["percent_covered"]) for name, each in report["files"].items()]
    return sorted(found, key=lambda file: (file.covered, file.name))


def shortcomings(total: float, files: list[File]) -> list[str]:
    """A line for each floor that is not reached."""
    low = [
        f"{file.name}: {file.covered:.1f} %, and each file needs {EACH:g} %" for file in files if file.covered < EACH
    ]
    if total < TOTAL:
        low.append(f"all files together: {total:.1f} %, and they need {TOTAL:g} %")
    return low


@contextmanager
def measured(packages: Path) -> Iterator[Path]:
    """While the block runs, each new process with these packages is measured; the folder of their data."""
    hook = packages / _HOOK
    data = Path(tempfile.mkdtemp(prefix="atlas-coverage-"))
    data.chmod(0o1777)  # like /tmp: also for what root starts as somebody else
    settings = {"COVERAGE_PROCESS_START": str(CONFIGURATION), "COVERAGE_FILE": str(data / "data")}
    try:
        # The place of our own process ends with it, so a hook that kill -9 leaves behind does nothing.
        hook.write_text(_HOOK_LINE.format(process=f"/proc/{os.getpid()}", settings=settings), "utf-8")
        yield data
    finally:
        hook.unlink(missing_ok=True)
        shutil.rmtree(data, ignore_errors=True)


def tested(arguments: tuple[str, ...]) -> tuple[bool, str]:
    """Whether the tests passed, and pytest's closing line."""
    command = [sys.executable, "-P", "-m", "pytest", *_SHARED, *arguments]
    last = ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as ran:
        assert ran.stdout is not None
        for line in ran.stdout:
            print(line, end="", flush=True)
            last = line.strip(" =\n") or last
    return ran.returncode == 0, last


def reported(data: Path, reports: Path) -> tuple[float, list[File]]:
    """Write all reports, print the table; the total and the files."""
    for stale in ("measured", "html"):
        shutil.rmtree(reports / stale, ignore_errors=True)
    (reports / "measured").mkdir(parents=True)
    coverage = Coverage(data_file=str(reports / "measured" / "data"), config_file=str(CONFIGURATION))
    # Another checkout that is run meanwhile on this .venv (`just bench compare`) has files of the same packages.
    coverage.set_option("report:include", [f"{ROOT / package}/*" for package in PACKAGES])
    coverage.combine([str(data)], strict=True)
    coverage.save()
    coverage.xml_report(outfile=str(reports / "coverage.xml"))
    coverage.html_report(directory=str(reports / "html"))
    coverage.json_report(outfile=str(reports / "coverage.json"))
    coverage.report(file=sys.stdout, sort="cover", show_missing=True)
    report = msgspec.json.decode((reports / "coverage.json").read_bytes())
    return float(report["totals"]["percent_covered"]), files_of(report)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="just coverage", add_help=False, allow_abbrev=False)
    parser.add_argument("--reports", type=Path, default=ROOT / REPORTS)
    args, rest = parser.parse_known_args(arguments)
    os.chdir(ROOT)
    runs = (tuple(rest),) if rest else ((), *ALSO)
    with measured(Path(sysconfig.get_path("purelib"))) as data:
        ended = [tested(each) for each in runs]
        total, files = reported(data, args.reports)
    low = shortcomings(total, files)
    for line in low:
        print(f"coverage: {line}", file=sys.stderr)
    closing = "; ".join(line for _, line in ended)
    print(f"{closing}; {total:.2f} % covered, the least covered file {files[0].covered:.1f} % ({files[0].name})")
    return int(bool(low) or not all(passed for passed, _ in ended))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
