# The two commands of the README are `make demo` and `make test`. Everything runs in its own virtual environment, .venv.
# Needs Python 3.11 and make. For the small CPU build of torch from PyTorch's own index:
#   make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3.11
CORES ?= all
PIP_ARGS ?=
TESTS ?= tests
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
SNAKEMAKE = snakemake --cores $(CORES) --quiet rules host

.PHONY: help demo evidence test lint format assets selector config bench bench-decode bench-store bench-reward bench-filter clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      videos -> shards -> rewards -> policy -> tables in the synthetic world, on a CPU, in minutes"
	@echo "make test      the tests"
	@echo "make evidence  the demo's claims with three seeds and longer training; writes docs/evidence.md"
	@echo "make assets    train the tiny models of the synthetic world anew and promote them into assets/"
	@echo "make selector  ship the demo's trained policy as the default of refocus select"
	@echo "make bench     the benchmarks; bench-decode, bench-reward, bench-filter, bench-store: one each"
	@echo "make lint      ruff, snakefmt, snakemake --lint, rendered files"

demo: $(VENV)/.run
	$(SNAKEMAKE)
	@python -m pipeline summary

evidence: $(VENV)/.run
	$(SNAKEMAKE) --configfile config/evidence.yaml
	python -m pipeline evidence --results results/evidence --configfile config/evidence.yaml --out docs/evidence.md
	@python -m pipeline summary --tables results/evidence/tables --figures results/evidence/figures

test: $(VENV)/.dev
	python -m pytest $(TESTS) -q $(PYTEST_ARGS)

lint: $(VENV)/.dev
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/rules
	snakemake --lint
	python -m pipeline config --check

format: $(VENV)/.dev
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow/rules

assets: $(VENV)/.run
	$(SNAKEMAKE) -- results/assets/manifest.json
	python -m pipeline assets promote --dir results/assets --to assets

selector: demo
	python -m pipeline assets selector --dir results/train/demo/policy --to assets

config: $(VENV)/.run
	python -m pipeline config --write

bench: bench-decode bench-store bench-reward bench-filter

# BENCH_ARGS="--peers PYTHON --ffmpeg FFMPEG" compares with libraries that live in an environment of their own.
bench-decode: $(VENV)/.dev
	python -m benchmarks.bench_decode --long --out docs/benchmarks.md $(BENCH_ARGS)

bench-store: $(VENV)/.dev
	python -m pytest benchmarks/test_frame_store.py benchmarks/test_stored_quality.py -q -s

bench-reward: $(VENV)/.dev
	python -m benchmarks.bench_reward --out docs/benchmarks.md

bench-filter: $(VENV)/.dev
	python -m pytest benchmarks/test_filter.py -q -s

clean:
	rm -rf $(VENV) .snakemake results

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	@echo 'installing the packages of requirements.txt into $(VENV): a minute or two'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements-dev.txt
	touch $@
