# Everything that is done to Atlas more than once. `just` alone lists it.

python := ".venv/bin/python -P"
export PYTHONPATH := justfile_directory()

[private]
help:
    @{{ just_executable() }} --list --unsorted

# Make or renew .venv with the development tools
[group('run')]
install:
    @./tools/atlas test --version >/dev/null

# See it work: ingest the sample site, search it, stay up (--once: check and exit)
[group('run')]
demo *arguments:
    ./tools/atlas demo {{ arguments }}

# Run everything in the foreground
[group('run')]
up *arguments:
    ./tools/atlas up {{ arguments }}

# Install as a system service, or bring it in step with this checkout (as root)
[group('operate')]
install-system *arguments:
    @python3 tools/system/install.py {{ arguments }}

# Remove the services and releases; what you saved stays (as root)
[group('operate')]
uninstall *arguments:
    @python3 tools/system/uninstall.py {{ arguments }}

# Make a commit (HEAD) the release that runs, or leave all as it is (as root)
[group('operate')]
[positional-arguments]
deploy *arguments:
    @python3 tools/system/deploy.py "$@"

# Let the release before this one, or the named one, run again (as root)
[group('operate')]
[positional-arguments]
rollback *arguments:
    @python3 tools/system/rollback.py "$@"

# The default test suite; arguments go to pytest
[group('test')]
test *arguments:
    ./tools/atlas test {{ arguments }}

# The slow and the fault-injecting tests, those on real pages and in a real browser, one at a time
[group('test')]
test-slow *arguments:
    ./tools/atlas test -n 0 -m 'slow or fault or corpus or browser' {{ arguments }}

# The fault-injecting tests at their full numbers, with an hour's soak: two hours and more (FAULT_SOAK_SECONDS=60: less)
[group('test')]
faults *arguments:
    FAULTS=full ./tools/atlas test -n 0 -s -m fault tests/test_reliability {{ arguments }}

# Months of simulated days from seeds, minutes each: `just simulate --seeds 20`, `just simulate --seed 3`
[group('test')]
simulate *arguments: install
    {{ python }} -m tests.simulation {{ arguments }}

# Real pages through the real roles, with the extraction's score
[group('test')]
corpus *arguments: install
    {{ python }} tools/bench/corpus.py {{ arguments }}

# Measure: `just bench ingest`, `just bench memory`
[group('test')]
bench name *arguments: install
    {{ python }} tools/bench/{{ name }}.py {{ arguments }}

# Format, lint, types, import contracts
[group('change')]
lint: install
    {{ python }} -m ruff format --check --quiet .
    {{ python }} -m ruff check --quiet .
    {{ python }} -m mypy
    {{ python }} -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo

# All that must hold before a change is handed over, but the tests
[group('change')]
check: lint
    sh -n tools/atlas
    sh -n tools/lock
    bash -n .ci/run
    {{ python }} -m supervisor config check --config config.example.toml
    {{ python }} -m compileall -q supervisor gateway stages pipeline observability tools tests

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
    ./tools/lock
