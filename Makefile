# The two commands of the README are `make demo` and `make test`. Everything runs in its own virtual environment, .venv.
# Needs make and Python 3.11, 3.12 or 3.13: the newest of them that runs, or PYTHON=/path/to/python. For the small CPU build of torch from PyTorch's own index:
#   make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

# A command of that name may be a launcher that finds no such version, so each is asked to run.
PYTHONS := python3.13 python3.12 python3.11 python3 python
ASK := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in $(PYTHONS); do $$python -c '$(ASK)' 2>/dev/null && echo $$python && break; done)
CORES ?= all
PIP_ARGS ?=
RECIPES ?=
TESTS ?= tests
TEST_PROCESSES ?= 2
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)/pipeline$(if $(PYTHONPATH),:$(PYTHONPATH))
SNAKEMAKE = snakemake --cores $(CORES) --quiet rules host

.PHONY: help demo report evidence study recipes test test-fast fuzz fuzz-guided test-kernels test-lmms-eval test-serve test-slurm test-browser lint format docs assets selector config bench bench-decode bench-store bench-reward bench-reward-gpu bench-feed bench-filter bench-ingest bench-train bench-question reruns clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      videos -> shards -> rewards -> policy -> tables in the synthetic world, on a CPU, in minutes"
	@echo "make test      the tests; make test-fast: those that start no Snakemake and take no seconds, while you edit"
	@echo "make test-kernels  mamba_ssm's Triton kernels against plain torch, interpreted on a CPU, in minutes"
	@echo "make test-browser  the pages of both reports in a headless Chromium, which has to be there"
	@echo "make test-lmms-eval  the plug-in with the real lmms-eval, on tiny models, in a minute or two"
	@echo "make test-serve  the page of refocus serve with the real Gradio, in a headless Chromium if one is there"
	@echo "make test-slurm  profiles/slurm on a SLURM of its own (Debian's slurm-wlm and munge, as root), in minutes"
	@echo "make fuzz      100,000 inputs for every parser of other people's files, in 20 minutes of CPU; writes docs/security.md; FUZZ_ARGS=\"--only JSON\": some"
	@echo "make fuzz-guided  the same parsers with inputs led by what they cover (atheris), 20 seconds each"
	@echo "make report    the demo's results as pages for a browser, with a gallery of questions: results/report/index.html"
	@echo "make evidence  the demo's claims with three seeds in a world that nobody tuned on; writes docs/evidence.md"
	@echo "make study     which of the paper's claims hold, (a) to (g): 27 runs, hours; resumable; writes docs/study.md"
	@echo "make recipes   a small run of every overlay, its metrics beside their bounds (tests/recipes); RECIPES=\"beta frames\": some"
	@echo "make assets    train the tiny models of the synthetic world anew and promote them into assets/"
	@echo "make selector  ship the demo's trained policy as the default of refocus select"
	@echo "make bench     the benchmarks; bench-decode, bench-reward, bench-feed, bench-filter, bench-ingest, bench-store, bench-train, bench-question:"
	@echo "               one each; bench-reward-gpu: the reward pass at its true sizes, on a GPU"
	@echo "make reruns    which rules run again when a key of config.yaml changes: docs/reruns.md, in minutes"
	@echo "make docs      draw docs/architecture.svg from the code, and build the site of docs/ in site/, which opens from the disk"
	@echo "make lint      ruff, mypy, snakefmt, snakemake --lint, rendered files"

demo: $(VENV)/.run
	$(SNAKEMAKE)
	@python -m refocus summary

report: demo
	python -m refocus report results --out results/report

study: $(VENV)/.run
	$(SNAKEMAKE) -- results/assets/lmm_ov/model.safetensors
	$(SNAKEMAKE) --configfile config/study.yaml
	python -m refocus study --configfile config/study.yaml --out docs/study.md

evidence: $(VENV)/.run
	$(SNAKEMAKE) --configfile config/evidence.yaml
	python -m refocus evidence --configfile config/evidence.yaml --out docs/evidence.md
	@python -m refocus summary --tables results/evidence/tables --figures results/evidence/figures

recipes: $(VENV)/.dev
	python -m tests.support.recipes $(RECIPES) --cores $(CORES)

PYTEST = python -m pytest $(TESTS) -q -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test: $(VENV)/.dev
	$(PYTEST)

test-fast: $(VENV)/.dev
	$(PYTEST) -m "not slow"

fuzz: $(VENV)/.dev
	python -m tests.fuzz.run --out docs/security.md $(FUZZ_ARGS)

fuzz-guided: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) atheris==3.0.0
	python -m tests.fuzz.guided --out docs/security.md $(FUZZ_ARGS)

test-kernels: $(VENV)/.triton
	PYTHONPATH=$(CURDIR)/$(VENV)/triton TRITON_INTERPRET=1 python -m pytest tests/policy -q -m triton $(PYTEST_ARGS)

# lmms-eval's entry point is found where .run installed the package; REFOCUS_LMMS_EVAL: nothing may be skipped.
test-lmms-eval: $(VENV)/.lmms-eval
	PYTHONPATH=$(PYTHONPATH):$(CURDIR)/$(VENV)/lmms-eval REFOCUS_LMMS_EVAL=1 python -m pytest tests/lmms_eval -q $(PYTEST_ARGS)

# REFOCUS_BROWSER=1 in front of it: without a Chromium its tests fail, otherwise they are skipped.
test-serve: $(VENV)/.serve
	PYTHONPATH=$(PYTHONPATH):$(CURDIR)/$(VENV)/serve python -m pytest tests/serve -q $(PYTEST_ARGS)

test-slurm: $(VENV)/.slurm
	PYTHONPATH=$(PYTHONPATH):$(CURDIR)/$(VENV)/slurm python -m pytest tests/workflow/test_slurm_submission.py tests/workflow/test_slurm.py -q -n 3 --dist worksteal $(PYTEST_ARGS)

# REFOCUS_BROWSER: without a Chromium the tests fail, where make test skips them.
test-browser: $(VENV)/.dev
	REFOCUS_BROWSER=1 python -m pytest tests/report tests/workflow/test_snakemakes_report.py -q -m browser $(PYTEST_ARGS)

lint: $(VENV)/.dev
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile workflow/rules
	snakemake --lint
	python -m refocus config --check

format: $(VENV)/.dev
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow/rules

assets: $(VENV)/.run
	$(SNAKEMAKE) -- results/assets/manifest.json
	python -m refocus assets promote --dir results/assets --to assets

selector: demo
	python -m refocus assets selector --dir results/train/demo/policy --to assets

docs: $(VENV)/.run $(VENV)/.docs
	python docs/architecture.py
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build --strict --quiet

# What runs again when a key changes: tests/workflow/reruns.yaml and docs/reruns.md.
reruns: $(VENV)/.dev
	python -m tests.support.reruns

config: $(VENV)/.run
	python -m refocus config --write

bench: bench-decode bench-store bench-reward bench-feed bench-filter bench-ingest bench-train bench-question

# BENCH_ARGS="--peers PYTHON --ffmpeg FFMPEG" compares with libraries that live in an environment of their own.
bench-decode: $(VENV)/.dev
	python -m benchmarks.bench_decode --long --out docs/benchmarks.md $(BENCH_ARGS)

bench-store: $(VENV)/.dev
	python -m pytest benchmarks/test_frame_store.py benchmarks/test_stored_quality.py -q -s

bench-reward: $(VENV)/.dev
	python -m benchmarks.bench_reward --out docs/benchmarks.md $(BENCH_ARGS)

bench-reward-gpu: $(VENV)/.dev
	python -m benchmarks.bench_reward_gpu --out docs/benchmarks.md $(BENCH_ARGS)

bench-feed: $(VENV)/.dev
	python -m benchmarks.bench_feed --out docs/benchmarks.md $(BENCH_ARGS)

bench-filter: $(VENV)/.dev
	python -m pytest benchmarks/test_filter.py -q -s

bench-ingest: $(VENV)/.dev
	python -m benchmarks.bench_ingest --out docs/benchmarks.md $(BENCH_ARGS)

bench-train: $(VENV)/.dev
	python -m benchmarks.bench_train --out docs/benchmarks.md $(BENCH_ARGS)

bench-question: $(VENV)/.dev
	python -m benchmarks.bench_question --out docs/benchmarks.md $(BENCH_ARGS)

clean:
	rm -rf $(VENV) .snakemake results site

$(VENV)/bin/python:
	@$(or $(PYTHON),false) -c '$(ASK)' || { echo 'needs Python 3.11, 3.12 or 3.13 with venv: make PYTHON=/path/to/python' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# The package itself is linked, so that $(VENV)/bin/refocus runs what stands here; its builder is one of the pinned packages.
$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo 'installing the packages of requirements.txt into $(VENV): a minute or two'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements-dev.txt
	touch $@

# Triton and mamba_ssm lie beside the environment: transformers would hand CPU tensors to an installed mamba_ssm.
$(VENV)/.triton: requirements-triton.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) setuptools wheel
	MAMBA_FORCE_BUILD=TRUE MAMBA_SKIP_CUDA_BUILD=TRUE $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		$(PIP_ARGS) --no-deps --no-build-isolation --upgrade --target $(VENV)/triton -r requirements-triton.txt
	touch $@

# The version that environment.yml pins; all that it needs is there.
$(VENV)/.slurm: environment.yml $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps --upgrade --target $(VENV)/slurm \
		"snakemake-executor-plugin-slurm==$$(sed -n 's/.*snakemake-executor-plugin-slurm=\([0-9.]*\).*/\1/p' $<)" snakemake-executor-plugin-slurm-jobstep==0.6.1
	touch $@

# Beside the environment as well: torchvision, once installed, is what transformers reads images with.
$(VENV)/.lmms-eval: requirements-lmms-eval.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps --upgrade --target $(VENV)/lmms-eval \
		-r requirements-lmms-eval.txt
	touch $@

# Beside the environment, because of its pillow.
$(VENV)/.serve: requirements-serve.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps --upgrade --target $(VENV)/serve \
		-r requirements-serve.txt
	touch $@

# An environment of its own: what builds the site reads the sources and imports none of the packages above.
$(VENV)/.docs: requirements-docs.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/docs
	$(VENV)/docs/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements-docs.txt
	touch $@
