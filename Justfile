# Everything that is done to Atlas more than once. `just` alone lists it.
# Arguments reach what they are meant for as they were typed, blanks, quotes and semicolons included: "$@", never text
# put into a line of shell (tests/test_justfile.py).

set positional-arguments := true
set no-exit-message := true # the recipe itself says what is wrong

python := ".venv/bin/python -P"
export PYTHONPATH := justfile_directory()

# This list
[group('help')]
help:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Make or renew .venv with the development tools
[group('run')]
install:
    @./tools/atlas test --version >/dev/null

# See it work: ingest the sample site, search it, stay up (--once: check and exit)
[group('run')]
demo *arguments:
    ./tools/atlas demo "$@"

# Run everything in the foreground
[group('run')]
up *arguments:
    ./tools/atlas up "$@"

# Ask a running Atlas how it is, as a monitor does: exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
[group('run')]
health *arguments:
    @./tools/health_check.sh "$@"

# Back up, restore it aside, check it; `just backup list`, `just backup verify ID`, `just backup drill`
[group('run')]
backup *arguments:
    @./tools/service backup "$@"

# Put a backup in the place of the library, which is kept aside
[group('run')]
restore id *arguments:
    @./tools/service restore "$@"

# Install as a system service, or bring it in step with this checkout (as root)
[group('system')]
install-system *arguments:
    @python3 tools/system/install.py "$@"

# Remove the services and releases; what you saved stays (as root)
[group('system')]
uninstall *arguments:
    @python3 tools/system/uninstall.py "$@"

# Start the installed services (as root)
[group('system')]
start:
    @./tools/service start

# Stop them, each within its time; what was accepted is kept (as root)
[group('system')]
stop:
    @./tools/service stop

# The worker, then the api, whose callers meanwhile wait in its socket (as root)
[group('system')]
restart:
    @./tools/service restart

# Which services run, and when the timers fire next
[group('system')]
status:
    @./tools/service status

# Their journal, the last 100 lines; `just logs -f` follows it, `just logs -u atlas-worker` is one service's
[group('system')]
logs *arguments:
    @./tools/service logs "$@"

# Make a commit (HEAD) the release that runs, or leave all as it is when it is not well (as root)
[group('system')]
deploy *arguments:
    @python3 tools/system/deploy.py "$@"

# Let the release before this one run again (as root)
[group('system')]
rollback *arguments:
    @python3 tools/system/rollback.py "$@"

# The default test suite; arguments go to pytest
[group('test')]
test *arguments:
    @./tools/atlas test "$@"

# The slow and the fault-injecting tests, those on real pages and in a real browser, one at a time
[group('test')]
test-slow *arguments:
    @./tools/atlas test -n 0 -m 'slow or fault or corpus or browser' "$@"

# The default tests with what they cover of our packages: build/coverage has it line by line
[group('test')]
coverage *arguments: install
    @{{ python }} -m tools.cover "$@"

# Every module imports and the demo works, in .venv or on another Python: `just smoke python3.13`
[group('test')]
smoke *pythons: install
    @{{ python }} -m tools.smoke "$@"

# The same on each Python from 3.11 up that this machine has, each in an environment of its own (--tests: the tests, too)
[group('test')]
matrix *arguments: install
    @{{ python }} -m tools.smoke --all "$@"

# The fault-injecting tests at their full numbers, with an hour's soak: two hours and more (FAULT_SOAK_SECONDS=60: less)
[group('test')]
faults *arguments:
    @FAULTS=full ./tools/atlas test -n 0 -s -m fault tests/test_reliability "$@"

# Months of simulated days from seeds, minutes each: `just simulate --seeds 20`, `just simulate --seed 3`
[group('test')]
simulate *arguments: install
    @{{ python }} -m tests.simulation "$@"

# Ten clients at once, a thousand saves: `just load --iterations 1000 --concurrent 50`
[group('test')]
load *arguments: install
    @{{ python }} tests/test_load.py "$@"

# Real pages through the real roles, with the extraction's score
[group('test')]
corpus *arguments: install
    @{{ python }} tools/bench/corpus.py "$@"

# Measure: `just bench ingest`, `just bench memory`; `just bench compare main`: this checkout beside another commit
[group('test')]
bench name *arguments: install
    @name=$1; shift; {{ python }} "tools/bench/$name.py" "$@"

# Format, lint, types, import contracts
[group('change')]
lint: install
    {{ python }} -m ruff format --check --quiet .
    {{ python }} -m ruff check --quiet .
    {{ python }} -m mypy
    {{ python }} -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo
    .venv/bin/shellcheck tools/atlas tools/lock tools/service tools/health_check.sh .ci/run

# All that must hold before a change is handed over, but the tests
[group('change')]
check: lint secrets
    {{ python }} -m supervisor config check --config config.example.toml
    {{ python }} -m compileall -q supervisor gateway stages pipeline observability tools tests

# Look for secrets in the files that git keeps; what is none is listed in .secrets.baseline
[group('change')]
secrets *arguments: install
    {{ python }} -m tools.secrets "$@"

# Ask the advisory database about every pinned package (--if-reachable: without it, say so and pass)
[group('change')]
audit *arguments: install
    {{ python }} -m tools.audit "$@"

# Format, and repair what the linter can
[group('change')]
fmt: install
    {{ python }} -m ruff check --fix --quiet .
    {{ python }} -m ruff format --quiet .

# Write the tables of docs/OBSERVABILITY.md anew from the catalogue of names
[group('change')]
catalogue: install
    {{ python }} tools/catalogue.py

# Write the lock files anew from pyproject.toml
[group('change')]
lock: install
    @./tools/lock

# Show a table at a pull request, in the place of the one before (needs gh)
[private]
comment file url:
    @gh pr comment "$2" --body-file "$1" --edit-last --create-if-none

# Remove caches and reports; never data, settings or .venv
[group('change')]
clean:
    @rm -rf build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.*
    @find . \( -path ./.git -o -path './.venv*' -o -path ./data -o -path ./logs \) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
