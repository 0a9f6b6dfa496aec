# `make demo` and `make test` need Python 3.11 or newer and make, and do the rest themselves, once.
PYTHON ?= python3
# A package index that holds torch's CPU build, for machines where the default build is the large CUDA one.
TORCH_INDEX ?=
# A folder of real videos for `make bench`, which makes some up otherwise.
VIDEOS ?=
# A commit that `make bench` compares this tree with.
AGAINST ?=
# Which tests `make test-cpus` runs (all quick tests by default), under which instruction sets and with how many threads.
TESTS ?=
CPUS ?= $(if $(filter x86_64 amd64,$(shell uname -m)),sse4 avx2 native,native)
THREADS ?= 1 2

VENV := .venv
BIN := $(VENV)/bin
# One process per core; a file's tests stay together, since they share what is costly to make.
PYTEST := $(BIN)/pytest -n auto --maxprocesses 8 --dist loadscope
READY := $(VENV)/.ready

# Settings that make ATen, oneDNN, MKL, OpenBLAS, NumPy, OpenCV and Arrow compute as on an older CPU. An Intel CPU obeys
# MKL_ENABLE_INSTRUCTIONS; other CPUs ignore it, and MKL_CBWR=COMPATIBLE gives every CPU MKL's oldest code.
CPU_sse4 := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE OPENBLAS_CORETYPE=Nehalem \
  NPY_DISABLE_CPU_FEATURES=X86_V3,X86_V4,AVX512_ICL,AVX512_SPR OPENCV_CPU_DISABLE=AVX,AVX2,AVX512-SKX \
  ARROW_USER_SIMD_LEVEL=SSE4_2
CPU_avx2 := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 OPENBLAS_CORETYPE=Haswell \
  NPY_DISABLE_CPU_FEATURES=X86_V4,AVX512_ICL,AVX512_SPR OPENCV_CPU_DISABLE=AVX512-SKX ARROW_USER_SIMD_LEVEL=AVX2
CPU_native :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-cpus check docs bench card clean

help:
	@echo "make demo      the whole story on a sample study: videos, training, verdict, report"
	@echo "make test      the quick tests"
	@echo "make test-all  the quick and the long tests"
	@echo "make test-cpus the quick tests under several instruction sets and thread counts"
	@echo "make check     formatting, lint, types, layers"
	@echo "make docs      the documentation site, into site/index.html"
	@echo "make bench     how fast this machine is, into benchmarks/results"
	@echo "make card      write docs/model-card.md from the shipped detector and its results"
	@echo "make setup     only the environment in .venv; the targets above do it when needed"
	@echo "make clean     remove .venv, caches and builds; demo/ and runs/ stay"
	@echo
	@echo "PYTHON=python3.12  another Python (3.11 or newer)"
	@echo "VIDEOS=DIR         real videos for make bench, of a dataset that prepare knows"
	@echo "AGAINST=REV        make bench compares this tree with that commit: decode, prepare and verdict"
	@echo "TESTS=PATH         which tests make test-cpus runs; CPUS=sse4 and THREADS=2 select one of its settings"
	@echo "TORCH_INDEX=URL    take torch from that index, such as the CPU index that pytorch.org names (first set-up only)"

setup: $(READY)

demo: $(READY)
	$(BIN)/realface demo

test: $(READY)
	OMP_NUM_THREADS=1 $(PYTEST) -m "not long"

test-all: $(READY)
	OMP_NUM_THREADS=1 $(PYTEST)

# Every setting runs, also after one that failed. Threads that wait sleep, since there are more of them than cores.
test-cpus: $(READY)
	$(if $(filter-out sse4 avx2 native,$(CPUS)),$(error CPUS must name sse4, avx2 or native, got: $(CPUS)))
	@failed=; $(foreach cpu,$(CPUS),$(foreach threads,$(THREADS), \
	  settings="OMP_NUM_THREADS=$(threads)$(if $(CPU_$(cpu)), $(CPU_$(cpu)))"; \
	  echo "== $(cpu), threads: $(threads) ($$settings)"; \
	  if env $$settings OMP_WAIT_POLICY=passive $(PYTEST) -m "not long"$(if $(TESTS), $(TESTS)); \
	  then echo "== $(cpu), threads: $(threads): passed"; \
	  else echo "== $(cpu), threads: $(threads): FAILED"; failed="$$failed $(cpu)/$(threads)"; fi;)) \
	if [ -n "$$failed" ]; then echo "make: tests failed under:$$failed" >&2; exit 1; fi

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html"

bench: $(READY)
	$(BIN)/realface bench --out benchmarks/results $(if $(VIDEOS),--videos $(VIDEOS)) $(if $(AGAINST),--against $(AGAINST))

card: $(READY)
	$(BIN)/realface card src/realface/shipped/real-faces-only --results docs/model-card/pseudo-fakes.json \
	  --results docs/model-card/verdicts.json --data docs/model-card/data.json --failures \
	  docs/images/model-card --out docs/model-card.md

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache src/*.egg-info

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
