# Everything from a fresh clone, with Python 3.11 or newer, git and make: `make run`, `make test`.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The oldest supported Python first: it is the one that the pins were chosen and tested on.
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3
PYTHON = $(shell for python in $(PYTHONS); do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
# A file of settings or a variable of the shell must not send the tests to a real database.
TESTING := DATABASE_URL= CACHE_URL=

.PHONY: help run test check lint coverage

help:
	@echo "make run    serve the demo: environment, database, demo data, admin user, key, server"
	@echo "make test   run the tests on SQLite"
	@echo "make coverage  run the tests, and list the lines that none of them reaches"
	@echo "make lint   check format, style, types and imports"
	@echo "make check  everything that is checked before a change lands"
	@echo "make bench  compare the speed with FastAPI"
	@echo "make browser-libraries  install what clients draw with, for the tests in a browser (needs npm)"

run: .venv/requirements.stamp
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) load_demo
	@$(MANAGE) welcome
	@$(MANAGE) runserver

test: .venv/requirements.stamp
	@$(TESTING) $(BIN)/python -m pytest -q -n auto --dist worksteal

# Slower than `make test` by half, and so apart from it.
coverage: .venv/requirements.stamp
	@$(TESTING) $(BIN)/python -m pytest -q -n auto --dist worksteal --cov --cov-report=term

lint: .venv/requirements-dev.stamp
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy .
	@$(BIN)/lint-imports

check:
	@bash .ci/run

# Installed again whenever the pins, or the Python below, change.
.venv/requirements.stamp: requirements.txt $(BIN)/python
	@echo "Installing what requirements.txt names ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/requirements-dev.stamp: requirements-dev.txt .venv/requirements.stamp
	@echo "Installing what requirements-dev.txt names ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none of $(PYTHONS) is one." >&2; exit 1; }
	@echo "Making the virtual environment .venv with $(PYTHON) ..."
	@"$(PYTHON)" -m venv --clear .venv || { rm -rf .venv; echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# For example `make bench ARGS="--only small-cached --seconds 5"`.
.PHONY: bench
bench: .venv/requirements-bench.stamp
	@$(BIN)/python -m tests.bench $(ARGS)

.venv/requirements-bench.stamp: requirements-bench.txt .venv/requirements.stamp
	@echo "Installing what requirements-bench.txt names ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

# What clients such as Workspace draw with; the tests in a browser that need it are skipped without.
.PHONY: browser-libraries
browser-libraries: tests/browser/node_modules/installed.stamp

tests/browser/node_modules/installed.stamp: tests/browser/package.json
	@command -v npm >/dev/null || { echo "npm is needed. On Debian and Ubuntu: apt install npm" >&2; exit 1; }
	@echo "Installing what tests/browser/package.json names ..."
	@npm install --no-package-lock --no-audit --no-fund --ignore-scripts --silent --prefix tests/browser
	@touch $@
