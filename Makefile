# Needs python3 (3.10 or newer) with venv and pip, and make. The first target that is run creates the environment;
# afterwards nothing is installed until requirements.lock or pyproject.toml changes.
#
#   ARGS=...         handed to the command of the target:  make lab ARGS=--no-browser    make test ARGS="-k layers"
#                    a path in it is the only one that is tested:  make test ARGS=tests/attribution
#   WORKERS=n        processes that share all tests; by default one more than there are cores, at most 4
#   VENV=folder      the environment, .venv unless told otherwise
#   PYTHON=python3   the interpreter that creates it
#   TORCH_INDEX=url  another wheel index for PyTorch, such as its CPU-only one; leaves out the CUDA libraries

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
TESTS ?= tests notebooks

PY := $(VENV)/bin/python
CORES := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
export OMP_NUM_THREADS ?= $(CORES)
# Waiting threads sleep. By default they spin, which beside any other work makes a forward pass several times slower.
export OMP_WAIT_POLICY ?= passive

# The stamp's name changes with what is to be installed and from where.
STAMP := $(VENV)/installed-$(shell { cat requirements.lock pyproject.toml; pwd; echo "$(TORCH_INDEX)"; } | cksum | cut -d ' ' -f 1)
ROOT_FLAG := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
# JupyterLab would otherwise ask on its first start whether it may fetch news, and look for updates.
LAB_SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
# The same policy for every kernel of this environment, whoever starts it: IPython runs this before the first cell.
KERNEL_SETTINGS = import os; os.environ.setdefault("OMP_WAIT_POLICY", "passive")

.DEFAULT_GOAL := help
.PHONY: help setup lab test quick lint format notebooks data pictures plates bench exactness train lock clean

help: ## List the targets
	@echo "make TARGET [ARGS=...] [VENV=folder] [PYTHON=python3]"
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  \1|/' | awk -F '|' '{ printf "%-12s %s\n", $$1, $$2 }'

$(STAMP):
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 10) else f"Python 3.10 or newer is needed; $(PYTHON) is {v.major}.{v.minor}")'
	@echo "Installing the locked versions into $(VENV); this happens once and takes some minutes."
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/installed-*
ifdef TORCH_INDEX
	@grep -vE '^(nvidia|cuda|triton)' requirements.lock > $(VENV)/wanted.txt
	$(PY) -m pip install --disable-pip-version-check --extra-index-url $(TORCH_INDEX) -r $(VENV)/wanted.txt
else
	$(PY) -m pip install --disable-pip-version-check -r requirements.lock
endif
	$(PY) -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@mkdir -p $(VENV)/share/jupyter/lab/settings $(VENV)/etc/ipython
	@echo '$(LAB_SETTINGS)' > $(VENV)/share/jupyter/lab/settings/overrides.json
	@echo '$(KERNEL_SETTINGS)' > $(VENV)/etc/ipython/ipython_kernel_config.py
	@touch $@

setup: $(STAMP) ## Create the environment, which the other targets do, too, where it is missing

lab: $(STAMP) ## Open JupyterLab on the notebooks, on this machine only (ARGS=--no-browser where there is no screen)
	$(PY) -m jupyterlab --ip=127.0.0.1 $(ROOT_FLAG) --ServerApp.root_dir=notebooks $(ARGS)

# The paths in ARGS, which replace those that are tested otherwise.
PATHS = $(filter tests% notebooks%,$(ARGS))

# All tests share the cores among several processes of one thread each, one more than there are cores, since some
# wait for a page or a kernel; a part of them runs in this one, which starts sooner.
WORKERS ?= $(if $(filter 1 2 3,$(CORES)),$(shell expr $(CORES) + 1),4)
SPREAD = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
NBVAL = --nbval-lax --nbval-current-env --nbval-cell-timeout=900 --nbval-kernel-startup-timeout=600

test: $(STAMP) ## Run all tests: the package, every notebook, and JupyterLab in Chromium where there is one
	$(PY) -m pytest -p tests.redone_exercises $(NBVAL) $(if $(PATHS),,$(SPREAD) $(TESTS)) $(ARGS)

quick: $(STAMP) ## Run what takes two minutes: no notebook, explorer, browser, or wrong answer to an exercise
	$(PY) -m pytest -p no:nbval -m "not slow" --ignore=tests/browser $(if $(PATHS),,--ignore=tests/explore $(SPREAD) tests) $(ARGS)

lint: $(STAMP) ## Check style and formatting, notebooks included, and what each room of the package may import
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-cache

format: $(STAMP) ## Format the code and mend what the linter can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

notebooks: $(STAMP) ## Execute every notebook in place and store its outputs (ARGS=notebooks/00_cnn_review.ipynb for one)
	CS231N_VIZ_DATA=build/no-photographs $(PY) tests/run_notebooks.py $(ARGS)

data: $(STAMP) ## Build the small indexes of patches that notebook 03 would otherwise build itself
	$(PY) -m training.indexes $(ARGS)

plates: $(STAMP) ## Make the pictures of data/plates that take minutes, those that are missing (ARGS="classes poster" for some)
	$(PY) -m training.plates $(ARGS)

pictures: $(STAMP) ## Fetch photographs that notebooks 02, 03 and 07 use where they are there (1 GB; ARGS=folder for another place)
	$(PY) -m cs231n_viz.pictures $(ARGS)

bench: $(STAMP) ## Measure the budgets, each beside its peers (ARGS="explorers patches" for some parts)
	$(PY) -m benchmarks $(ARGS)

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

lock: ## Renew requirements.lock from pyproject.toml, keeping the versions that still fit (ARGS=--upgrade for the newest)
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --disable-pip-version-check --quiet uv
	build/lock/bin/uv pip compile pyproject.toml --extra test --extra cluster --extra imagenet --universal --python-version 3.10 --no-annotate --quiet \
		--custom-compile-command "make lock" --output-file requirements.lock $(ARGS)

clean: ## Remove caches and build products; the environment stays (delete .venv to start afresh)
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints -o -name '*.egg-info' \) -exec rm -rf {} +
