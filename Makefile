# Two commands always work on a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=
TESTS := $(BIN)/python -m pytest -q -m "not soak"
# What starts processes measures times, so it runs one after another; the rest takes what the two
# cores have left, and what it said comes after.
SUITE = log=$$(mktemp); \
	nice -n 19 $(TESTS) -n 2 --dist loadgroup --ignore=tests/processes $(ARGS) >$$log 2>&1 & rest=$$!; \
	trap 'kill $$rest; rm -f $$log; exit 130' INT TERM; \
	$(TESTS) tests/processes $(ARGS); first=$$?; \
	wait $$rest; second=$$?; cat $$log; rm -f $$log; test $$first -eq 0 && test $$second -eq 0

.PHONY: demo test check lab oracle bench soak plant lock clean

demo: $(VENV)/.base
	@$(BIN)/hushmill demo $(ARGS)

test: $(VENV)/.dev
	@$(SUITE)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@$(SUITE)

# The classical reference, in an environment of its own: see docs/spec/packet.md.
oracle: $(VENV)/.dev
	$(BIN)/python experiments/oracle/run.py $(ARGS)

bench: $(VENV)/.base
	@$(BIN)/hushmill bench packet $(ARGS)
	@$(BIN)/hushmill bench commands $(ARGS)

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -m soak $(ARGS)

# What `hushmill lab` needs beside the base: a compiler for its loops, plots, and Dask.
lab: $(VENV)/.lab
	@$(BIN)/hushmill lab list

# Plants known bugs in a copy of the tree and shows that each turns the tests red.
plant: $(VENV)/.dev
	$(BIN)/python tests/plant_bugs.py $(ARGS)

# The environments follow the lock, and nothing that the lock does not hash is installed.
$(VENV)/.base: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --no-deps --only-binary :all: -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.lab: requirements-lab.lock $(VENV)/.base
	@$(PIP) install --require-hashes --no-deps --only-binary :all: -r requirements-lab.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.base
	@$(PIP) install --require-hashes --no-deps --only-binary :all: -r requirements-dev.lock
	@touch $@

# Needs `uv`; run by whoever changes a dependency.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml --extra build -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml --extra build --extra lab --extra cluster \
		-c requirements.lock -o requirements-lab.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml --extra build --extra lab --extra cluster \
		--extra metrics --extra dev -c requirements-lab.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) .oracle build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
