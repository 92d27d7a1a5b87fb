# Zypher's commands. `just` lists them, `just up` starts everything, `just test` tests everything.
# All they need is Python 3.11 or newer with pip: each brings .venv up to date first, from hash-locked requirements.

set positional-arguments

# pyright comes with the environment, and shall not look for a newer one
export PYRIGHT_PYTHON_IGNORE_WARNINGS := "1"

[private]
list:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# start everything here: Redis (unless ZYPHER_REDIS_URL is set), API, workers and, on a terminal, the dashboard
[group('run')]
[no-exit-message]
up *arguments: _running
    @exec .venv/bin/zypher up "$@"

# open the dashboard on what runs already
[group('run')]
[no-exit-message]
tui *arguments: _running
    @exec .venv/bin/zypher tui "$@"

# print the dashboard's facts once: `just top --once`, `just top --once --json`
[group('run')]
[no-exit-message]
top *arguments: _running
    @exec .venv/bin/zypher top "$@"

# send a model a bounded load: `just load mock --rate 50 --for 30s`
[group('run')]
[no-exit-message]
load *arguments: _running
    @exec .venv/bin/zypher load "$@"

# check each part and every setting, and say what to do
[group('run')]
[no-exit-message]
doctor *arguments: _running
    @exec .venv/bin/zypher doctor "$@"

# write a model to begin from, and its test: `just new-model word-count`
[group('run')]
[no-exit-message]
new-model *arguments: _running
    @exec .venv/bin/zypher new-model "$@"

# run a model once, without a server: `just predict mock '{"input": "hello"}'`
[group('run')]
[no-exit-message]
predict *arguments: _running
    @exec .venv/bin/zypher predict "$@"

# the whole test suite, in parallel and in a new order each time; takes pytest's arguments
[group('develop')]
[no-exit-message]
test *arguments: _developing
    @exec .venv/bin/pytest --numprocesses=auto --dist=worksteal "$@"

# everything that must hold before a commit: format, lint, types, imports, container files, then the tests
[group('develop')]
check: lint test

# what `check` does before the tests
[group('develop')]
lint: _developing
    .venv/bin/ruff format --check
    .venv/bin/ruff check
    .venv/bin/pyright --project pyproject.toml
    .venv/bin/lint-imports --no-cache
    .venv/bin/docker-compose --file compose.yaml --profile dashboard config --quiet
    .venv/bin/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
    .venv/bin/hadolint Dockerfile

# format, and mend what ruff can mend
[group('develop')]
fix: _developing
    .venv/bin/ruff check --fix
    .venv/bin/ruff format

# measure, beside peers in the same run: `just bench http`, `just bench queue`, `just bench models`, `just bench isolation`, `just bench waiters`, `just bench hot_switch`, `just bench overload`
[group('develop')]
bench name *arguments: _developing
    @shift && exec .venv/bin/python -m "bench.{{ name }}" "$@"

# kill, stop and cut off everything under load, and account for every prediction: `just chaos --minutes 10 --kills 50 --seed 1`
[group('develop')]
[no-exit-message]
chaos *arguments: _developing
    @exec .venv/bin/python -m tests.chaos.run "$@"

# call the API in ways that nobody thought of, and hold every answer against its document: `just fuzz --minutes 10 --seed 1`
[group('develop')]
[no-exit-message]
fuzz *arguments: _developing
    @exec .venv/bin/python -m tests.fuzz.run "$@"

# write down what callers of the API may rely on, once a change of it is meant
[group('develop')]
contract: _developing
    @.venv/bin/python -m tests.api.contract

# make the pictures of the README again, from the real program
[group('develop')]
docs *arguments: _developing
    @exec .venv/bin/python docs/pictures/stage.py "$@"

# make the pictures of every screen in every state again: docs/screens.md; with `--png --out DIR` to look at
[group('develop')]
screens *arguments: _developing
    @exec .venv/bin/python docs/pictures/make.py "$@"

# lock the requirements again; `just lock --upgrade` takes newer versions
[group('develop')]
lock *arguments: _developing
    @scripts/lock "$@"

[no-exit-message]
_running:
    @scripts/environment running

[no-exit-message]
_developing:
    @scripts/environment developing
