# Two commands do everything: `make demo` and `make test`. Each installs what it needs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMP := $(VENV)/.installed
EXTRAS ?= dev
DEMO_ROOT ?= demo
TESTERS ?= 2
MILVUS := .milvus-venv

.PHONY: install demo serve test test-milvus check bench lock clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(UV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: install
	$(BIN)/nitari demo root=$(DEMO_ROOT)

# The page of what `make demo` made, at http://127.0.0.1:8000/
serve: install
	test -d $(DEMO_ROOT) || $(MAKE) demo
	$(BIN)/nitari serve collection=diagrams root=$(DEMO_ROOT)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile

# The same tests, and a kill, on a real Milvus server: the one in the wheel, for Linux on x86-64, apart from our own pins.
test-milvus: install $(MILVUS)/.installed
	$(MILVUS)/bin/python tests/milvus/server.py $(BIN)/python -m pytest tests/milvus

$(MILVUS)/.installed: | $(STAMP)
	$(UV) venv --quiet --clear --python $(BIN)/python $(MILVUS)
	$(UV) pip install --quiet --python $(MILVUS)/bin/python milvus==2.3.5
	touch $@

bench: install
	$(BIN)/python -m benchmarks

# Pins for every platform and Python we support; no header, no index address.
lock: install
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links --all-extras pyproject.toml --output-file constraints.txt

clean:
	rm -rf $(VENV) $(MILVUS) build dist *.egg-info
