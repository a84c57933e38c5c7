# `make demo` and `make test` are all a newcomer needs; both make .venv first if it is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Test workers and the processes that tests start import the same modules: compiled once, not in each of them.
unexport PYTHONDONTWRITEBYTECODE
# One thread per test worker: two workers with two threads each would only get in each other's way.
TEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

.PHONY: demo test test-long lint bench anatomy screenshot clean

demo: $(VENV)/.ready
	$(BIN)/satsegment demo --out demo --overwrite

test: lint
	$(TEST) -m "not long"

test-long: $(VENV)/.ready
	$(TEST) -m long

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=SATSegment $(BIN)/mypy
	$(BIN)/lint-imports

# Times and memory as ratios, in build/bench: small windows, or with FULL=1 those of the released networks (an hour or more).
# BEFORE=FOLDER names a checkout of an earlier version to compare with; OpenVINO takes part where it is installed.
bench: $(VENV)/.ready
	$(BIN)/python benchmarks/bench_window.py --out build/bench-window.csv $(if $(FULL),--models nano pro,--window 96 96 96)
	$(BIN)/python benchmarks/bench_threads.py $(BEFORE)
	$(BIN)/python benchmarks/bench_passes.py $(BEFORE)
	$(BIN)/python benchmarks/bench_backbones.py $(if $(FULL),,--window 96 96 96 --rounds 3)
	$(BIN)/python benchmarks/bench_scan.py --out build/bench $(if $(FULL),--full)
	$(BIN)/python benchmarks/bench_adaptive.py --out build/bench
	$(BIN)/python benchmarks/bench_loading.py
	$(BIN)/python benchmarks/bench_panel.py

# Pictures of the panel in its states, light and dark.
screenshot: $(VENV)/.ready
	$(BIN)/python tools/screenshot.py --out build/screenshots

# Rebuild the knowledge tree from its sources; needs packages of its own (requirements/anatomy-build.txt).
anatomy:
	$(PYTHON) -m venv build/anatomy-venv
	build/anatomy-venv/bin/pip install -q --no-deps -r requirements/anatomy-build.txt
	build/anatomy-venv/bin/python tools/anatomy/build.py

$(VENV)/.ready: requirements/runtime.txt requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "SATSegment needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@echo "Installing pinned packages into $(VENV): 3.5 GB, some minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) build demo
