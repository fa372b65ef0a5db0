# Loupe on one machine. Needs Python 3.11 or newer and make, and nothing else.

PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3 python; do \
	if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$each; break; fi; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-compile --require-hashes

# Dozens of processes start in the tests, and six with Loupe: none shall compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo clean-demo test readers bench style lint format chromium

help:
	@echo "make demo        install, start everything, watch a sample project being labeled"
	@echo "make clean-demo  forget the sample project"
	@echo "make install     all that running and testing need, in .venv"
	@echo "make test        every check and test"
	@echo "make readers     exports, as other programs read them; these are installed in .venv-readers"
	@echo "make bench       the benchmarks, one JSON line each"

install: .venv/runtime.stamp .venv/testing.stamp

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Loupe needs Python 3.11 or newer; none was found."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime.stamp: deploy/requirements.txt | .venv/bin/python
	@echo "Installing what Loupe needs; the first time takes some minutes."
	$(PIP) -r deploy/requirements.txt
	@touch $@

.venv/testing.stamp: deploy/requirements-test.txt deploy/requirements-faces.txt .venv/runtime.stamp
	$(PIP) -r deploy/requirements-test.txt
	$(PIP) --no-deps -r deploy/requirements-faces.txt
	@touch $@

demo: .venv/runtime.stamp
	@LOUPE_HOME="$${LOUPE_HOME:-var/demo}" $(BIN)/python manage.py demo

clean-demo:
	rm -rf var/demo

chromium:
	@for each in chromium-headless-shell chromium chromium-browser google-chrome; do \
		command -v $$each >/dev/null && exit 0; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq; \
		apt-get install -y -qq chromium-headless-shell >/dev/null 2>&1 || apt-get install -y -qq chromium >/dev/null; \
	else \
		echo "The browser tests need Chromium. Install it (Debian, Ubuntu: sudo apt-get install chromium)"; \
		echo "and run make test again; until then they fail."; \
	fi

style: .venv/testing.stamp
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .

lint: style
	$(BIN)/mypy

format: .venv/testing.stamp
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

tests/azurite/node_modules/.package-lock.json: tests/azurite/package-lock.json
	@cd tests/azurite && npm ci --silent --no-audit --no-fund --ignore-scripts || \
		echo "Azurite comes from npm, which cannot install it here: tests of Azure Blob Storage are skipped."

# Types take a minute of one core, which is found while tests wait for processes and browsers.
test: chromium style tests/azurite/node_modules/.package-lock.json
	@mkdir -p .mypy_cache; nice $(BIN)/mypy >.mypy_cache/said 2>&1 & types=$$!; \
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal; outcome=$$?; \
	wait $$types || outcome=1; cat .mypy_cache/said; exit $$outcome

.venv-readers/stamp: deploy/requirements-readers.txt | .venv/bin/python
	$(PYTHON) -m venv .venv-readers
	.venv-readers/bin/python -m pip install --disable-pip-version-check --quiet --no-compile --require-hashes -r $<
	@touch $@

# Two environments: the one writes, the other reads and knows nothing of Loupe.
readers: .venv/testing.stamp .venv-readers/stamp
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(BIN)/python -m tests.readers.writing "$$folder" && \
	LOUPE_EXPORTS="$$folder" .venv-readers/bin/python -m pytest -q -c /dev/null --rootdir tests/readers \
		--noconftest --import-mode=importlib -p no:cacheprovider tests/readers

.venv/bench.stamp: deploy/requirements-bench.txt .venv/testing.stamp
	$(PIP) -r deploy/requirements-bench.txt
	@touch $@

bench: .venv/bench.stamp
	@for each in queue embedding loop strategies; do $(BIN)/python -m tests.benchmarks.$$each $(ARGS) || exit 1; done
