# Everything on a fresh machine: `make all` for the results, `make test` for the tests. See README.md.

PYTHON ?= python3
CORES ?= all
CONFIGFILE ?= config.yaml
PORT ?= 8000
VENV := .venv

# Un-activated, snakemake would start scripts without the environment's programs.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: all demo test test-cluster lint benchmark lock readme clean

all: $(VENV)/installed
	snakemake --cores $(CORES) all
	@cat results/pydocs/tables/main.md results/pydocs/tables/by_length.md

# A page on this machine where BM25 and the trained students answer side by side, once the experiment has run.
demo: $(VENV)/installed
	python tools/demo.py --port $(PORT) $(CONFIGFILE)

test: $(VENV)/installed-dev lint
	python -m pytest

# Through a real Slurm of one node, as root on Debian; with WHOLE=--whole the default experiment, not a small cut of it.
test-cluster: $(VENV)/installed-dev
	@command -v slurmctld >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends slurm-wlm munge; }
	python -m pytest tests/cluster $(WHOLE)

lint: $(VENV)/installed-dev
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	snakemake --lint

# How fast this machine is with it, beside others: results/benchmarks/. Nothing else should run meanwhile.
benchmark: $(VENV)/installed-dev
	python benchmarks/run.py

# Tables and figures of the README, from the results of `make all`.
readme: all
	python tools/update_readme.py

# New versions: edit requirements*.in, then `make lock` in a checkout without .venv.
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --upgrade pip
	.venv-lock/bin/pip install --quiet -r requirements.in
	.venv-lock/bin/python tools/lock.py requirements.txt --conda envs/stillroom.yaml
	.venv-lock/bin/pip install --quiet -r requirements-dev.in
	.venv-lock/bin/python tools/lock.py requirements-dev.txt --beyond requirements.txt
	rm -rf .venv-lock

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "stillroom needs Python 3.11 or newer, found $$($(PYTHON) --version); set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --upgrade pip
	$(VENV)/bin/pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(VENV)/bin/pip install --quiet -r requirements-dev.txt
	@touch $@

clean:
	rm -rf results
