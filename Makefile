# `make demo` and `make test`; `make check` is the fast loop. Each sets everything up first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test check mutants fuzz benchmarks setup lint clean
.DELETE_ON_ERROR:

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "mohaq needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	@echo 'installing packages into $(VENV): a minute or more'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: setup
	$(BIN)/mohaq search experiments/demo.yaml --out runs/demo --resume
	$(BIN)/mohaq report runs/demo --out runs/demo.html

# The benchmarks' jobs are dictionaries and lambdas, of which mypy does not know the types. Their cache is another: one
# that two sets of rules share serves neither.
lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --cache-dir .mypy_cache/benchmarks --disable-error-code arg-type --disable-error-code misc --follow-imports silent benchmarks

test: lint
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests/simulators/engine --cov --cov-report=
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-append --cov-report=term:skip-covered --cov-fail-under=90

check: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow'

mutants: setup
	PYTHONPATH=tests/helpers nice $(BIN)/python -m mutants

# Damaged inputs to every reader: `make fuzz FUZZ_SECONDS=3600 FUZZ_SEED=7`. What was printed is kept in FUZZ_KEEP.
FUZZ_SECONDS ?= 300
FUZZ_KEEP ?= .fuzz

fuzz: setup
	PYTHONPATH=tests/helpers $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) --keep $(FUZZ_KEEP) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

benchmarks: setup
	$(BIN)/python benchmarks/run_all.py

clean:
	rm -rf $(VENV) build *.egg-info
