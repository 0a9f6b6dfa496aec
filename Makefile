# `make demo` and `make test` need Python 3.11 or newer and make, and do the rest themselves, once.
PYTHON ?= python3
# A package index that holds torch's CPU build, for machines where the default build is the large CUDA one.
TORCH_INDEX ?=
# A folder of real videos for `make bench`, which makes some up otherwise.
VIDEOS ?=
# A commit that `make bench` compares this tree with.
AGAINST ?=

VENV := .venv
BIN := $(VENV)/bin
# One process of one thread per core; a file's tests stay together, since they share what is costly to make.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 8 --dist loadscope
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check bench clean

help:
	@echo "make demo      the whole story on a sample study: videos, training, verdict, report"
	@echo "make test      the quick tests"
	@echo "make test-all  the quick and the long tests"
	@echo "make check     formatting, lint, types, layers"
	@echo "make bench     how fast this machine is, into benchmarks/results"
	@echo "make setup     only the environment in .venv; the targets above do it when needed"
	@echo "make clean     remove .venv, caches and builds; demo/ and runs/ stay"
	@echo
	@echo "PYTHON=python3.12  another Python (3.11 or newer)"
	@echo "VIDEOS=DIR         real videos for make bench, in a layout that prepare knows"
	@echo "AGAINST=REV        make bench compares this tree with that commit: decode, prepare and verdict"
	@echo "TORCH_INDEX=URL    take torch from that index, such as the CPU index that pytorch.org names (first set-up only)"

setup: $(READY)

demo: $(READY)
	$(BIN)/realface demo

test: $(READY)
	$(PYTEST) -m "not long"

test-all: $(READY)
	$(PYTEST)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/realface bench --out benchmarks/results $(if $(VIDEOS),--videos $(VIDEOS)) $(if $(AGAINST),--against $(AGAINST))

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache src/*.egg-info

# A checkout that is as it was when the environment was made needs nothing.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) > /dev/null || { \
	  echo "make: $(PYTHON) is not here; install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: Realface needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || { \
	  echo "make: $(PYTHON) cannot make virtual environments; install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/pip install -q -c constraints.txt --no-deps --index-url $(TORCH_INDEX) torch torchvision)
	$(BIN)/pip install -q -c constraints.txt -e ".[dev]"
	@touch $@
