# `make run` and `make test` need git, make and Python 3.11 to 3.14, for which all packages are built. The former reaches
# the package index only, the latter also installs what .venv/system.stamp below says.
.DEFAULT_GOAL := help
.PHONY: help run serve space push test test-slow test-all pytest soak cache lint plots report compare seeds folds tune figures licences audit lock clean

PYTHON ?= python3
# The build of torch (cpu, cu126, ...) and the index that has it; empty for what the package index has. The one that
# was asked for last stays.
TORCH ?= $(patsubst .venv/torch-%,%,$(wildcard .venv/torch-*))
TORCH_INDEX ?= $(if $(TORCH),$(shell cat .venv/torch-$(TORCH) 2> /dev/null))
BIN := .venv/bin
ACTIVATE := . $(BIN)/activate
# Two workers, as the smallest machine that this is for has two cores. Each takes whole files, whose fixtures are shared,
# in their order: the slow ones come first.
PYTEST := python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder --durations=10
# How files get from a cache in another place into the project, where it can be: without a second copy.
LINKS := reflink,hardlink,symlink,copy
COMPILE := pip-compile --quiet --strip-extras --no-header --no-emit-find-links --no-emit-index-url --annotation-style=line

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/run.stamp ## Set up, run the pipeline (dvc repro), show the metrics [TORCH=cpu TORCH_INDEX=ADDRESS] [DVC_CACHE=FOLDER]
	@$(if $(DVC_CACHE),$(ACTIVATE) && dvc config --local cache.dir "$(DVC_CACHE)" && dvc config --local cache.type $(LINKS))
	@$(ACTIVATE) && dvc repro
	@$(ACTIVATE) && dvc metrics show metrics/evaluate.json metrics/baseline.json metrics/cross/*.json
	@echo
	@echo "The model is in models/sentiment/. Next, after '. $(BIN)/activate':"
	@echo "  dvc exp run -S train.lr=3e-5   try another learning rate; then: dvc metrics diff, dvc exp show --only-changed"
	@echo "  make plots                     draw the curves and the confusion, ROC and reliability plots"
	@echo "  make serve                     open a web page that reads reviews as you type"

serve: .venv/app.stamp ## Serve the web page and its API with the exported model, at http://127.0.0.1:7860
	@$(ACTIVATE) && python -m app

space: .venv/run.stamp ## Build the folder space/ to push as a Space, or to run on a server (docs/deploy.md)
	@$(ACTIVATE) && python -m deploy.space

push: .venv/run.stamp ## Push the trained model to the Hugging Face hub: make push NAME=USER/NAME [PRIVATE=1]
	@$(ACTIVATE) && python -m deploy.push "$(NAME)" $(if $(PRIVATE),--private)

test: .venv/system.stamp ## Set up, lint, and test every promise once (some 5 minutes)
	@$(MAKE) --no-print-directory --jobs=2 lint pytest

test-slow: .venv/system.stamp ## Run the tests that repeat, wait, or drive whole pipelines (half an hour)
	@$(MAKE) --no-print-directory pytest MARKED=slow

test-all: test test-slow ## Run all tests

pytest: .venv/system.stamp
	@$(ACTIVATE) && $(PYTEST) -m "$(or $(MARKED),not slow)"

soak: .venv/test.stamp ## Kill the pipeline at random moments, again and again (half an hour)
	@$(ACTIVATE) && python -m tests.soak

cache: .venv/run.stamp ## Remove what is damaged in DVC's cache
	@$(ACTIVATE) && python -m sentiment.verify_cache

lint: .venv/test.stamp ## Check style, types, spelling, and that README.md stays short
	@$(ACTIVATE) && ruff check . && ruff format --check . && mypy
	@# Names of Python's own library that Windows lacks.
	@$(ACTIVATE) && mypy --platform win32 --cache-dir .mypy_cache/windows sentiment stages app deploy report
	@$(ACTIVATE) && codespell $$(git ls-files '*.md' '*.ipynb')
	@[ $$(wc -l < README.md) -lt 250 ] || { echo "README.md has 250 lines or more: move what few readers need to docs/"; exit 1; }

plots: .venv/run.stamp ## Write all plots into dvc_plots/index.html
	@$(ACTIVATE) && python -m report.vega && dvc plots show

report: .venv/run.stamp ## Write report/index.html: the run and the benchmarks on one page that needs no network
	@$(ACTIVATE) && python -m report

compare: .venv/run.stamp ## Compare two runs review by review: make compare A=main B=my-experiment
	@$(ACTIVATE) && python -m sentiment.comparison "$(A)" "$(B)"

tune: .venv/scale.stamp ## Look for better parameters, as tuning.yaml says: make tune [WORKERS=2] [PLAN=tuning.yaml]
	@$(ACTIVATE) && python -m tuning --workers $(or $(WORKERS),1) $(PLAN)

seeds: .venv/run.stamp ## Train with N seeds, and tell how much of each figure is luck: make seeds N=5
	@$(ACTIVATE) && python -m benchmarks.seeds $(or $(N),5)

folds: .venv/run.stamp ## Score each training review by a model that did not learn from it: make folds K=5 [SET='train.lr=1e-4']
	@$(ACTIVATE) && python -m benchmarks.folds $(or $(K),5) $(foreach change,$(SET),--set '$(change)')

figures: .venv/test.stamp ## Fill README.md and docs/ with the figures of metrics/ and benchmarks/, and draw their plots
	@$(ACTIVATE) && dvc repro --quiet benchmarks/dvc.yaml:costs && python -m report.drawings && python -m report.documents

licences: .venv/test.stamp ## List the licences of all dependencies in docs/licences.md
	@$(ACTIVATE) && python -m report.licences

audit: .venv/test.stamp ## Look all dependencies up in the package index's advisories
	@$(ACTIVATE) && python -m tests.audit

lock: .venv/test.stamp ## Resolve requirements*.in to requirements*.txt
	@$(ACTIVATE) && $(COMPILE) --output-file requirements.txt requirements.in
	@$(ACTIVATE) && $(COMPILE) --output-file requirements-app.txt requirements-app.in
	@$(ACTIVATE) && $(COMPILE) --output-file requirements-scale.txt requirements-scale.in
	@$(ACTIVATE) && $(COMPILE) --output-file requirements-dev.txt requirements-dev.in
	@# A local build's suffix (+cpu) is no version that others can install.
	@sed -i.tmp 's/^\(torch==[0-9.]*\)+[a-z0-9]*/\1/' requirements.txt requirements-dev.txt && rm requirements*.tmp

clean: ## Remove checkpoints, logs, drawn plots and what measurements leave; the DVC cache stays
	rm -rf checkpoints logs dvc_plots benchmarks/*.tmp

define environment
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2> /dev/null || { \
	echo "Python 3.11 to 3.14 is needed, but '$(PYTHON) --version' says: $$($(PYTHON) --version 2>&1)"; \
	echo "Install one (Debian, Ubuntu: python3.11 and python3.11-venv; macOS: brew install python@3.12; anywhere:"; \
	echo "uv python install 3.12) and name it: make run PYTHON=python3.12"; exit 1; } >&2
$(PYTHON) -m venv .venv
endef

.venv/run.stamp: requirements.txt $(TORCH:%=.venv/torch-%)
	$(environment)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m report.vega
	@touch $@

# Of its index only torch is taken. What it needs is pinned in requirements.txt, whose torch==VERSION a VERSION+cpu meets.
.venv/torch-%: requirements.txt
	@[ -n "$(TORCH_INDEX)" ] || { echo "TORCH=$* needs TORCH_INDEX=ADDRESS: PyTorch's installation page names it," \
		"after --index-url, once Linux, Pip and this build are chosen there"; exit 1; } >&2
	$(environment)
	$(BIN)/python -m pip install --quiet --no-deps --index-url "$(TORCH_INDEX)" "$$(sed -n 's/^\(torch==[0-9.]*\).*/\1/p' requirements.txt)+$*"
	@rm -f .venv/torch-* && echo "$(TORCH_INDEX)" > $@

.venv/app.stamp: .venv/run.stamp requirements-app.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-app.txt
	@touch $@

.venv/scale.stamp: .venv/run.stamp requirements-scale.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-scale.txt
	@touch $@

.venv/test.stamp: .venv/app.stamp .venv/scale.stamp requirements-dev.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

# What tests drive beside the project's packages: a browser (Debian's, or Playwright's own), an SSH server, and what else
# loads models, optimum and (in Node) transformers.js. Without one of them the tests that need it are skipped, or fail
# where CI=true.
.venv/system.stamp: .venv/test.stamp tests/loaders/requirements.txt tests/loaders/package.json
	@missing=; command -v chromium > /dev/null || missing=chromium; \
	PATH=$$PATH:/usr/sbin command -v sshd > /dev/null || missing="$$missing openssh-server"; \
	command -v npm > /dev/null || missing="$$missing npm"; \
	[ -z "$$missing" ] || { [ "$$(id -u)" = 0 ] && apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing > /dev/null; } \
		|| echo "not installed: $$missing; install it to run all tests"
	@command -v chromium > /dev/null || $(BIN)/playwright install chromium-headless-shell \
		|| echo "no browser could be installed: install chromium to run all tests"
	@$(BIN)/python -m pip install --quiet --no-deps --upgrade --target .venv/optimum --requirement tests/loaders/requirements.txt \
		|| echo "optimum could not be installed: tests that load models by it are skipped"
	@cp tests/loaders/package.json .venv && npm install --silent --ignore-scripts --no-package-lock --prefix .venv \
		|| echo "transformers.js could not be installed: tests that load models by it are skipped"
	@touch $@
