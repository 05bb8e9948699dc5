# The commands that people type; the build server types the same ones.
#
#   make run      the router with 28 000 real airports, on this machine
#   make test     everything: checks, tests, coverage
#   make check    format, lint, types, layers, advisories
#   make bench    speed, against baselines of the same run
#   make lock     pin the requirements anew
#   make clean    remove what these commands made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# AUTO_PORT=1 make run: take the next free ports. ARGS: any flags of examples/quickstart.py.
ARGS ?=
RUN_ARGS := $(if $(AUTO_PORT),--auto-port) $(ARGS)
# As pip does with what it installs, so that no start compiles 300 files.
PACKAGES := access console controllers examples protocols realtime router storage trivium
BYTECODE := $(BIN)/python -m compileall -q $(PACKAGES)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --retries 10 --timeout 60
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-header --no-strip-extras --quiet

.PHONY: run test check bench lock clean
.DELETE_ON_ERROR:

run: $(VENV)/run.stamp
	@$(BIN)/python -m examples.quickstart $(RUN_ARGS)

test: $(VENV)/test.stamp
	@tests/setup/programs
	@tests/setup/node
	@tests/setup/opensearch
	@$(MAKE) --no-print-directory check
	@tests/setup/halves
	@tests/setup/coverage

check: $(VENV)/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python tests/setup/advisories.py

bench: $(VENV)/test.stamp
	$(BIN)/python -m bench $(ARGS)

lock: $(VENV)/test.stamp
	@$(PIP) install --quiet uv
	$(COMPILE) --extra build --extra demo -o requirements.txt
	$(COMPILE) --extra build --extra demo --extra test -c requirements.txt -o requirements-test.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache tests/node/node_modules
	find $(PACKAGES) -name __pycache__ -prune -exec rm -rf {} +

# One stamp for each set of requirements: nothing is installed twice.
$(VENV)/run.stamp: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing the router into $(VENV) (once)"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@$(BYTECODE)
	@touch $@

$(VENV)/test.stamp: requirements-test.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing the router and what its tests need into $(VENV) (once)"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements-test.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@$(BYTECODE)
	@touch $@ $(VENV)/run.stamp

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "trivium needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
			"Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) can't make environments; on Debian: apt install python3-venv" >&2; exit 2; }
