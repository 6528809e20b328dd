# Every target does its own set-up. `make help` lists them.
# The make of macOS looks for a plain command along its own PATH, and not the one exported here; a shell does not.
SHELL := /bin/bash
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Keep what the tools cache inside the clone, and every run on the same number of threads.
CACHE := $(CURDIR)/.cache
export IPYTHONDIR := $(CACHE)/ipython
export JUPYTER_CONFIG_DIR := $(CACHE)/jupyter/config
export JUPYTER_DATA_DIR := $(CACHE)/jupyter/data
export JUPYTER_RUNTIME_DIR := $(CACHE)/jupyter/runtime
export MPLCONFIGDIR := $(CACHE)/matplotlib
export TORCHINDUCTOR_CACHE_DIR := $(CACHE)/torchinductor
export OMP_NUM_THREADS ?= 2

.PHONY: help setup book site colab-check chapters lab test test-fast execute lint bench record dist handout lock serve pdf clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## +' '/^[a-z-]+:.*##/ {printf "  make %-13s%s\n", $$1, $$2}' Makefile

setup: .venv/ready  ## create the locked environment in .venv (the other targets do it for you)

# An empty environment with the locked uv in it: $(call environment,FOLDER)
define environment
@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v in {(3, 11), (3, 12), (3, 13)} or \
  sys.exit("d2lcnn needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is %d.%d; try: make PYTHON=python3.12 $(MAKECMDGOALS)" % v)'
$(PYTHON) -m venv --clear $(1)
@mkdir -p $(CACHE)
@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(CACHE)/uv.txt
$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(CACHE)/uv.txt
endef

.venv/ready: requirements.lock
	$(call environment,.venv)
	uv pip install --quiet --python .venv --no-deps --require-hashes -r requirements.lock
	uv pip install --quiet --python .venv --no-deps --no-build-isolation -e .
	@touch .venv/ready

# What builds the pages, and no more: pyproject's group `pages`, at the versions and with the hashes of the same lock.
.venv-book/ready: requirements.lock pyproject.toml
	$(call environment,.venv-book)
	.venv-book/bin/uv pip install --quiet --python .venv-book --require-hashes --group pages -c requirements.lock
	@touch .venv-book/ready

book: .venv-book/ready  ## build the HTML book into _build/html, warnings as errors; needs no torch
	.venv-book/bin/jupyter-book build . -W -n --keep-going

site: setup book  ## what a repository publishes, into _build/site: make site ADDRESS=https://github.com/me/mine
	python tools/publish.py $(ADDRESS)

colab-check: site  ## run chapters as Colab does, 6 GB: make colab-check ARGS="--all"; ARGS="--lowest 1 2"; ARGS=--newest
	python tools/colab_check.py $(ARGS)

# Two files side by side, on a thread each, are done sooner than one after the other on two; and on a machine that has
# something else to do, two threads wait for each other at every small tensor, up to ten times as long as they compute.
PYTEST := OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile --no-loadscope-reorder

test: setup  ## run everything: unit tests, every notebook by strict nbval, the built pages
	$(PYTEST)

test-fast: setup  ## the same without the notebooks that train
	$(PYTEST) --fast

execute: setup  ## re-run the notebooks whose code, or what they use, has changed
	python tools/notebooks.py execute

lint: setup  ## ruff (code and notebooks), codespell and mypy, as pre-commit runs them
	ruff check .
	ruff format --check .
	codespell
	mypy

bench: setup  ## measure side by side with d2l and torch, several minutes: make bench ARGS="--only lenet"
	python benchmarks/run.py --json $(CACHE)/benchmark.json $(ARGS)

NET ?= lenet
VARIANT ?= mini
SEED ?= 0
RUN = $(CACHE)/$(NET)-$(VARIANT)-$(SEED).pt

record: setup  ## train and record one network, or go on with it: make record NET=lenet VARIANT=mini SEED=0
	python -m d2lcnn train $(NET) --variant $(VARIANT) --seed $(SEED) --record --checkpoint $(RUN)
	@rm -f $(RUN)

dist: setup  ## build wheel and sdist into _build/dist, and try each in an empty environment
	python tools/dist.py

HANDOUT ?= _build/class

handout: setup  ## write the chapters without solutions, and a key beside them: make handout HANDOUT=folder
	python tools/handout.py $(HANDOUT)

lock: setup  ## resolve the newest allowed versions into requirements.lock and environment.yml
	python tools/lock.py --upgrade

# Copies, so that trying things changes nothing tracked; what the reader has already is left alone.
MINE ?= my-chapters

chapters: setup
	@mkdir -p $(MINE)
	@for file in book/*.ipynb book/*.md; do [ -e "$(MINE)/$${file##*/}" ] || cp "$$file" "$(MINE)"; done

lab: chapters  ## open chapter 1 in JupyterLab, among copies of your own in my-chapters/
	jupyter lab $(MINE)/01-convolution.ipynb

serve: book  ## build the book and open it on http://localhost:8000
	.venv-book/bin/python -m http.server --directory _build/html --bind localhost 8000

CHROMIUM ?= $(firstword $(shell command -v chromium chromium-browser google-chrome))

pdf: .venv-book/ready  ## print the book into _build/book.pdf with Chromium or Chrome
	.venv-book/bin/jupyter-book build . --builder singlehtml -W -n --keep-going
	@cp _build/singlehtml/book/index.html _build/singlehtml/book.html
	$(or $(CHROMIUM),$(error no Chromium or Chrome is installed; try: make pdf CHROMIUM=/path/to/it)) --headless --disable-gpu \
	  $(if $(filter 0,$(shell id -u)),--no-sandbox) --no-pdf-header-footer --generate-pdf-document-outline \
	  --virtual-time-budget=60000 --print-to-pdf=_build/book.pdf file://$(CURDIR)/_build/singlehtml/book.html

clean:  ## remove what was built; keep the environment
	rm -rf _build .cache .pytest_cache .hypothesis .ruff_cache
