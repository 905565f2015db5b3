# Everything needs one command. `make demo` and `make test` set up what they use, in this directory only.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint unit bench fuzz clean

demo: $(VENV)/.installed
	@$(BIN)/python examples/demo.py

test: lint unit

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/.installed
	./pebble/fetch
	$(BIN)/python -m pytest

# Twenty minutes, needs nginx, Caddy, wrk and h2load; `make bench BENCH=--quick` takes two.
bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks $(BENCH)

# Five minutes; looks at coverage where atheris is installed: .venv/bin/pip install -e '.[fuzz]'.
fuzz: $(VENV)/.installed
	nice $(BIN)/python -m tests.fuzz $(FUZZ)

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null \
		|| { echo "edge needs Python 3.11 or newer with venv (Debian: apt install python3 python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,fast]'
	@touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
