# Two commands matter: `make demo` and `make test`. Everything else serves them.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
VENV := .venv
BIN := $(VENV)/bin
# Index of torch wheels, e.g. the CPU-only one; unset: the default index (CUDA build on Linux, about 3 GB).
TORCH_INDEX ?=
# Processes that run tests side by side, each with a store of its own (2 GB); the tests of a file stay together.
WORKERS ?= 0
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH := $(shell grep '^torch==' requirements.lock)

.DEFAULT_GOAL := help
.PHONY: help install demo up test lint bench lock clean browser test-slow

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed ## create .venv from requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Leewatch needs Python 3.11: install it, or pass PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV) (once; about 1.5 GB with CPU wheels of torch)"
	@if [ -n "$(TORCH_INDEX)" ]; then $(PIP) --index-url $(TORCH_INDEX) $(TORCH); fi
	@$(PIP) -r requirements.lock
	@$(PIP) --no-deps -e .
	@touch $@

demo: install ## start everything, send traffic with an incident, print each alert; Ctrl-C ends it
	@$(BIN)/leewatch demo $(ARGS)

up: install ## start everything on the default ports and keep it running
	@$(BIN)/leewatch up $(ARGS)

lint: install ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

test: install browser lint ## lint, then unit, property, integration, acceptance and browser tests
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

test-slow: install ## tests that take minutes: the demo with several seeds, more kills and faults, quality on labelled data
	@$(BIN)/pytest -m "slow or quality" $(ARGS)

browser: install
	@$(BIN)/python deploy/find_browser.py

bench: install ## measure the ingest path; JSON to bench/results/
	@$(BIN)/leewatch bench ingest --output bench/results/ingest.json $(ARGS)

lock: ## pin what is installed in .venv now
	@( echo "# Every package that \`make install\` puts into .venv, pinned. Made with \`make lock\`."; \
	   $(BIN)/python -m pip freeze --exclude leewatch --exclude pip --exclude setuptools | sed 's/+cpu//' ) > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
