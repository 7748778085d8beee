# What a developer calls. Each target makes .venv by itself, with the Python that PYTHON names (3.11 or newer).
# Tests run in one process more than there are cores, since many of them wait.
PYTHON ?= python3
STATE ?= $(CURDIR)/.state
BIN := .venv/bin
COVERED := --cov --cov-report=term --cov-fail-under=90
TESTERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet -c constraints.txt
OLD := OpsConductor needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12

.PHONY: demo run test check bench chaos soak clean help
.DEFAULT_GOAL := help

demo: .venv/installed ## Show the product on twelve simulated devices; ONCE=1 stops everything after the run.
	@OPSCONDUCTOR_STATE_DIR="$(STATE)" $(BIN)/opsconductor demo $(if $(filter-out 0,$(ONCE)),--once)

run: .venv/installed ## Run everything in this terminal; its data is in .state, and Ctrl-C stops it.
	@OPSCONDUCTOR_STATE_DIR="$(STATE)" $(BIN)/opsconductor up

test: .venv/installed-dev ## Run the whole suite in parallel; with COVERAGE=1 it fails under 90 % of branches and lines.
	@$(BIN)/pytest -n $(TESTERS) --dist worksteal $(if $(filter-out 0,$(COVERAGE)),$(COVERED)) $(ARGS)

check: .venv/installed-dev ## Lint, check the format, the types and the imports.
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: .venv/installed-bench ## Run the benches, or those that BENCH names, and print their figures beside their peers'.
	@$(BIN)/python -m tests.bench $(BENCH)

chaos: .venv/installed-dev ## Kill parts of the product in mid-push, 50 times, and count on the devices; CHAOS_SEED repeats a run.
	@$(BIN)/python -m tests.chaos

soak: .venv/installed-dev ## Load the product for SOAK_MINUTES, 30 unless set, and fail when anything it holds grows.
	@$(BIN)/python -m tests.soak

clean: ## Remove what make and the tools made; .state, the data of make run, stays.
	@rm -rf .venv build dist *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

help: ## List the targets.
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("$(OLD)" % v[:2])'
	@$(PYTHON) -m venv .venv
	@$(PIP) -e .
	@touch $@

.venv/installed-dev: .venv/installed
	@$(PIP) -e '.[dev]'
	@touch $@

.venv/installed-bench: .venv/installed-dev
	@$(PIP) -e '.[dev,bench]' && touch $@ || echo "Without matplotlib the benches run all the same, and draw nothing."
