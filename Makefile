# Everything needs one command. `make demo` and `make test` set up what they use, in this directory only.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMPILED := .cache/compiled
ROOMS := --ignore tests/blackbox --ignore tests/benchmarks
BLACKBOX := tests/wire tests/http tests/net tests/benchmarks tests/blackbox

.PHONY: demo test lint unit blackbox bench soak fuzz lock clean

demo: $(VENV)/.installed
	@$(BIN)/python examples/demo.py

test: lint unit blackbox

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/.installed
	./pebble/fetch
	$(BIN)/python -m pytest $(ROOMS) || $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(ROOMS)

# What crosses a socket is tested as it is installed: with the hot path compiled. So are the parsers, once more. Real servers
# and clients share a machine that may be busy with other things: what fails is asked once more, alone, and must pass then.
blackbox: $(COMPILED)/.built
	./pebble/fetch
	cd $(COMPILED) && { $(CURDIR)/$(BIN)/python -m pytest $(BLACKBOX) \
		|| $(CURDIR)/$(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(BLACKBOX); }

# Twenty minutes, needs nginx, Caddy, wrk and h2load; `make bench BENCH=--quick` takes two.
bench: $(COMPILED)/.built
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m benchmarks --output $(CURDIR)/docs/benchmarks $(BENCH)

# Everything at once for five minutes, with reloads and killed processes; `make soak SOAK="--minutes 60"` takes an hour.
soak: $(COMPILED)/.built
	./pebble/fetch
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m soak $(SOAK)

# A copy of the project with the hot path compiled in place, so that no compiled module ever hides what is edited here.
$(COMPILED)/.built: $(VENV)/.installed setup.py $(shell find edge tests benchmarks soak examples -name '*.py')
	rm -rf $(COMPILED) && mkdir -p $(COMPILED)
	cp -R $(filter-out build dist,$(wildcard * .github .ci)) $(COMPILED)
	mkdir -p $(COMPILED)/.cache && ln -s $(CURDIR)/.cache/pebble $(COMPILED)/.cache/pebble
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

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

# The versions that are known to work together, with the hashes of their files. After a change of pyproject.toml, or to take newer ones.
lock:
	$(BIN)/python -m pip install --quiet pip-tools
	CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
		--extra fast --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
