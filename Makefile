# Two commands do everything on a machine with Python 3.11+, pip and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
DEMO := demo/workspace
PORT ?= 8000
UV := UV_PYTHON_DOWNLOADS=never $(BIN)/uv
PACKAGE_INPUTS := pyproject.toml constraints.txt hatch_build.py $(wildcard frontend/*.json) frontend/.npmrc
comma := ,
# pyspark is 430 MB: tests take it only where Java can run it (.ci/run installs Java first).
EXTRAS := $(if $(shell command -v java 2>/dev/null),test$(comma)spark,test)

.PHONY: setup demo test lint bench bench-matching bench-ops soak screenshots clean

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "需要 Python 3.11 以上 / Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

$(STAMPS)/product: $(BIN)/uv $(PACKAGE_INPUTS)
	$(UV) pip install --quiet --python $(BIN)/python -e . -c constraints.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/test: $(STAMPS)/product
	$(UV) pip install --quiet --python $(BIN)/python -e '.[$(EXTRAS)]' -c constraints.txt
	@mkdir -p $(STAMPS) && touch $@

setup: $(STAMPS)/product

demo: $(STAMPS)/product
	$(BIN)/qiaomen --workspace $(DEMO) demo --port $(PORT)

test: $(STAMPS)/test
	$(BIN)/pytest -n 2 --dist loadgroup

lint: $(STAMPS)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMPS)/test
	$(BIN)/python -m benchmarks

# Kills work at 200 drawn points (SOAK='--kills 2000' for a night), then sends 20,000 generated calls.
soak: $(STAMPS)/test
	nice $(BIN)/python -m soak $(SOAK)
	FUZZ_CALLS=20000 nice $(BIN)/pytest tests/web/test_fuzz.py

# MATCHING=FOLDER adds the case of a folder (registry, customers, former_names as Parquet).
bench-matching: $(STAMPS)/test
	$(BIN)/python -m benchmarks.matching_scale
	$(if $(MATCHING),$(BIN)/python -m benchmarks.matching $(MATCHING))

bench-ops: $(STAMPS)/test
	$(BIN)/python -m benchmarks.ops
	$(BIN)/python -m benchmarks.bombs
	$(BIN)/python -m benchmarks.load

screenshots: $(STAMPS)/test
	$(BIN)/python scripts/screenshots.py $(DEMO)

clean:
	rm -rf $(VENV) $(STAMPS) demo
