# Needs python3 (3.10 or newer) with venv and pip, and make. The first target that is run creates the environment;
# afterwards nothing is installed until requirements.lock or pyproject.toml changes. In a folder that was moved or
# renamed only the course's own package is installed again, in seconds and without a connection.
#
#   ARGS=...         handed to the command of the target:  make lab ARGS=--no-browser    make test ARGS="-k layers"
#                    a path in it is the only one that is tested:  make test ARGS=tests/attribution
#   NOTEBOOK=04      the notebook that make reset gives back
#   WORKERS=n        processes that share all tests; by default one more than there are cores, at most 4
#   VENV=folder      the environment, .venv unless told otherwise
#   SITE_VENV=folder the small one of `make site`, .venv-site unless told otherwise
#   PYTHON=python3   the interpreter that creates it
#   TORCH_INDEX=url  another wheel index for PyTorch, such as its CPU-only one; leaves out the CUDA libraries

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
TESTS ?= tests notebooks
NOTEBOOK ?=

PY := $(VENV)/bin/python
ORIGINALS := $(VENV)/share/cs231n_viz/notebooks
CORES := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
export OMP_NUM_THREADS ?= $(CORES)
# Waiting threads sleep. By default they spin, which beside any other work makes a forward pass several times slower.
export OMP_WAIT_POLICY ?= passive
# glibc keeps freed memory: maps of some MB are otherwise asked of the system anew in every layer, page by page, which
# costs a seventh to a quarter of an optimisation in pixels. The peak is the same.
export MALLOC_MMAP_THRESHOLD_ ?= 1000000000
export MALLOC_TRIM_THRESHOLD_ ?= 1000000000000
# Kept bytecode: else each kernel, worker and script, hundreds in the tests, compiles the whole package again.
unexport PYTHONDONTWRITEBYTECODE

# The stamps' names change with what is to be installed and from where; of each kind there is one at a time.
name_of = $(shell { $(1); } | cksum | cut -d ' ' -f 1)
LOCKED := $(VENV)/locked-$(call name_of,cat requirements.lock; echo "$(TORCH_INDEX)")
ROOT_FLAG := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
STAMP := $(VENV)/installed-$(call name_of,cat pyproject.toml jupyter_settings.py; pwd)

.DEFAULT_GOAL := help
.PHONY: help setup lab stage reset test test-versions quick lint format notebooks assignments data pictures plates bench bench-quick exactness train site lock clean

help: ## List the targets
	@echo "make TARGET [ARGS=...] [VENV=folder] [PYTHON=python3]"
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  \1|/' | awk -F '|' '{ printf "%-14s %s\n", $$1, $$2 }'

$(LOCKED):
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 10) else f"Python 3.10 or newer is needed; $(PYTHON) is {v.major}.{v.minor}")'
	@echo "Installing the locked versions into $(VENV); this happens once and takes some minutes."
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/locked-* $(VENV)/installed-*
ifdef TORCH_INDEX
	@grep -vE '^(nvidia|cuda|triton)' requirements.lock > $(VENV)/wanted.txt
	$(PY) -m pip install --disable-pip-version-check --extra-index-url $(TORCH_INDEX) -r $(VENV)/wanted.txt
else
	$(PY) -m pip install --disable-pip-version-check -r requirements.lock
endif
	@touch $@

# The package is installed by the path of this folder. Only what starts with "-m" is run from $(VENV): the scripts in its
# bin/ name the folder that they were made in.
$(STAMP): $(LOCKED)
	@rm -f $(VENV)/installed-*
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(PY) jupyter_settings.py
	@git ls-files --error-unmatch notebooks >/dev/null 2>&1 || [ -d $(ORIGINALS) ] || \
		{ mkdir -p $(ORIGINALS) && cp notebooks/*.ipynb $(ORIGINALS); }
	@touch $@

setup: $(STAMP) ## Create the environment, which the other targets do, too, where it is missing

LAB = $(PY) -m jupyterlab --ip=127.0.0.1 $(ROOT_FLAG) --ServerApp.root_dir=notebooks --LabApp.default_url=/lab/tree/index.ipynb

lab: $(STAMP) ## Open JupyterLab on the course, on this machine only (ARGS=--no-browser where there is no screen)
	@echo "Everything is installed. JupyterLab starts at the address below; Ctrl+C, twice, ends it."
	@$(LAB) --Application.log_level=WARN $(ARGS)

stage: $(STAMP) ## Open one explorer alone, as large as the window, to be projected (ARGS="saliency", ARGS=--help for all)
	@$(PY) -c 'import voila' 2>/dev/null || { echo "Installing Voilà, once."; $(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[stage]'; }
	@$(PY) -m instructor.stage $(ARGS)

# NOTEBOOK is a number, a name or a path: 4, 04, 04_saliency, notebooks/04_saliency.ipynb. The original is that of the
# last commit that came from elsewhere, else of the last commit; in an archive without git, what was there at first.
reset: ## Give back the original of a notebook (NOTEBOOK=04); your copy is moved aside, never deleted
	@set -eu; \
	from=$$(git merge-base HEAD '@{upstream}' 2>/dev/null || echo HEAD); \
	if all=$$(git ls-tree --name-only "$$from" notebooks/ 2>/dev/null | grep '[.]ipynb$$'); \
	then original() { git show "$$from:./notebooks/$$1"; }; \
	else all=$$(ls $(ORIGINALS)) || { echo "No originals here: neither git has them nor the installation."; exit 2; }; original() { cat "$(ORIGINALS)/$$1"; }; fi; \
	all=$$(echo "$$all" | sed 's|.*/||'); \
	name=$$(echo "$$all" | grep -E '^0?$(basename $(notdir $(NOTEBOOK)))(_.*)?[.]ipynb$$' | head -n 1) || true; \
	[ -n "$(NOTEBOOK)" ] && [ -n "$$name" ] || \
		{ echo "NOTEBOOK=$(NOTEBOOK) is none of the notebooks; say make reset NOTEBOOK=..., with one of:"; echo "$$all"; exit 2; }; \
	mkdir -p notebooks/set_aside; \
	original "$$name" > notebooks/set_aside/.original; \
	if cmp -s notebooks/set_aside/.original "notebooks/$$name"; \
	then rm notebooks/set_aside/.original; echo "notebooks/$$name is the original: nothing to do."; exit; fi; \
	aside() { echo "notebooks/set_aside/$${name%.ipynb}-$$(date +%Y-%m-%d-%H%M%S).ipynb"; }; \
	while [ -e "$$(aside)" ]; do sleep 1; done; \
	if [ -e "notebooks/$$name" ]; then aside=$$(aside); mv "notebooks/$$name" "$$aside"; echo "Your copy is now $$aside."; fi; \
	mv notebooks/set_aside/.original "notebooks/$$name"; \
	echo "notebooks/$$name is the original again: close it in JupyterLab and open it anew." ; \
	echo "Your right answers are kept: viz.exercises.restore(\"name\") takes one up again."

# The paths in ARGS, which replace those that are tested otherwise.
PATHS = $(filter tests% notebooks%,$(ARGS))

# All tests share the cores among several processes of one thread each, one more than there are cores, since some
# wait for a page or a kernel; a part of them runs in this one, which starts sooner.
WORKERS ?= $(if $(filter 1 2 3,$(CORES)),$(shell expr $(CORES) + 1),4)
SPREAD = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
NBVAL = --nbval-lax --nbval-current-env --nbval-cell-timeout=900 --nbval-kernel-startup-timeout=600 --ignore=notebooks/set_aside

test: $(STAMP) ## Run all tests: the package, every notebook, and JupyterLab in Chromium where there is one
	$(PY) -m pytest -p tests.redone_exercises $(NBVAL) $(if $(PATHS),,$(SPREAD) $(TESTS)) $(ARGS)

test-versions: ## Run the quick tests with the lowest, locked and newest versions, and each Python here (ARGS=lowest-3.10 for one)
	@[ -x build/versions/uv/bin/python ] || $(PYTHON) -m venv build/versions/uv
	@build/versions/uv/bin/python -m pip install --disable-pip-version-check --quiet uv
	build/versions/uv/bin/python tests/versions.py $(ARGS)

quick: $(STAMP) ## Run what takes two minutes: no notebook, explorer, browser, or wrong answer to an exercise
	$(PY) -m pytest -p no:nbval -m "not slow" --ignore=tests/browser $(if $(PATHS),,--ignore=tests/explore $(SPREAD) tests) $(ARGS)

lint: $(STAMP) ## Check style and formatting, notebooks included, and what each room of the package may import
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -c 'from importlinter.cli import lint_imports_command as check; check()' --no-cache

format: $(STAMP) ## Format the code and mend what the linter can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

notebooks: $(STAMP) ## Execute every notebook in place and store its outputs (ARGS=notebooks/00_cnn_review.ipynb for one)
	CS231N_VIZ_DATA=build/no-photographs $(PY) tests/run_notebooks.py $(ARGS)

assignments: $(STAMP) ## Make hand-outs for a class in build/assignments: no outputs, no answers (ARGS=--nbgrader for its metadata)
	$(PY) -m cs231n_viz.exercises assignments $(ARGS)

data: $(STAMP) ## Build the small indexes of patches that notebook 03 would otherwise build itself
	$(PY) -m training.indexes $(ARGS)

plates: $(STAMP) ## Make the pictures of data/plates that take minutes, those that are missing (ARGS="classes poster" for some)
	$(PY) -m training.plates $(ARGS)

pictures: $(STAMP) ## Fetch photographs that notebooks 02, 03 and 07 use where they are there (1 GB; ARGS=folder for another place)
	$(PY) -m cs231n_viz.pictures $(ARGS)

bench: $(STAMP) ## Measure the budgets, each beside its peers and ceiling; writes benchmarks/results.md (ARGS="patches" for a part)
	$(PY) -m benchmarks $(ARGS)

bench-quick: $(STAMP) ## Measure some of the budgets, in three minutes; fails where one is missed
	$(PY) -m benchmarks --quick $(ARGS)

TEACHER = --teacher runs/squeezenet1_1/last.pt

exactness: $(STAMP) ## Compare the attributions with what is right, and peers where installed; writes benchmarks/README.md
	$(PY) -m benchmarks.exactness $(ARGS)

train: $(STAMP) ## Train and export the shipped networks again, from the pictures in DATA=folder (hours)
	@[ -n "$(DATA)" ] || { echo "Say where the pictures are: make train DATA=folder (python -m training.classifiers --help)"; exit 2; }
	$(PY) -m training.classifiers $(DATA) --network squeezenet1_1
	$(PY) -m training.classifiers $(DATA) --network mini_alexnet $(TEACHER)
	$(PY) -m training.classifiers $(DATA) --network mini_vgg $(TEACHER)
	$(PY) -m training.classifiers $(DATA) --network mini_alexnet $(TEACHER) --start runs/mini_alexnet/last.pt \
		--epochs 32 --lr 2e-3 --out runs/second
	$(PY) -m training.classifiers $(DATA) --network mini_vgg $(TEACHER) --start runs/mini_vgg/last.pt \
		--epochs 10 --lr 1.5e-3 --out runs/second
	$(PY) -m training.last_layer $(DATA) runs/second/mini_vgg/last.pt --out runs/third
	$(PY) -m training.export $(DATA) runs/third/mini_vgg/last.pt
	$(PY) -m training.upper_layers $(DATA) runs/second/mini_alexnet/last.pt $(TEACHER) --out runs/third
	$(PY) -m training.export $(DATA) runs/third/mini_alexnet/last.pt
	$(PY) -m training.robust $(DATA)
	$(PY) -m training.robust $(DATA) --export data/weights
	$(PY) -m training.generator $(DATA)
	$(PY) -m training.generator $(DATA) --export data/weights
	$(PY) -m training.fast_style $(DATA)
	$(PY) -m training.fast_style $(DATA) --export data/weights

# An environment of its own: the pages are made from stored outputs, so neither PyTorch nor a kernel is needed.
SITE_VENV ?= .venv-site
SITE_PY := $(SITE_VENV)/bin/python
SITE_STAMP := $(SITE_VENV)/installed-$(shell cksum < site/requirements.txt | cut -d ' ' -f 1)

$(SITE_STAMP):
	@[ -x $(SITE_PY) ] || $(PYTHON) -m venv $(SITE_VENV)
	@rm -f $(SITE_VENV)/installed-*
	$(SITE_PY) -m pip install --disable-pip-version-check --quiet -r site/requirements.txt
	@touch $@

site: $(SITE_STAMP) ## Build the course as pages that work offline, build/site/html, with every link checked
	$(SITE_PY) site/build.py $(ARGS)

lock: ## Renew requirements.lock from pyproject.toml, keeping the versions that still fit (ARGS=--upgrade for the newest)
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --disable-pip-version-check --quiet uv
	build/lock/bin/uv pip compile pyproject.toml --extra test --extra cluster --extra imagenet --universal --python-version 3.10 --no-annotate --quiet \
		--custom-compile-command "make lock" --output-file requirements.lock $(ARGS)
	sed -n '/^site = \[/,/^\]/p' pyproject.toml | sed -nE 's/^ *"([^"]+)".*/\1/p' > build/lock/site.in
	build/lock/bin/uv pip compile build/lock/site.in --universal --python-version 3.10 --no-annotate --quiet \
		--custom-compile-command "make lock" --output-file site/requirements.txt $(ARGS)

clean: ## Remove caches and build products; the environment stays (delete .venv to start afresh)
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints -o -name '*.egg-info' \) -exec rm -rf {} +
