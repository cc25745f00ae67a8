# `make` lists what there is. For GNU make 3.81 and newer; every path is relative, so the folder's own name may hold spaces.

BIN := .venv/bin
# The Python to make .venv with; left empty, the newest usable one. Another: make clean, then make setup PYTHON=python3.12
PYTHON ?=
PYTHONS = $(if $(PYTHON),"$(PYTHON)",python3.14 python3.13 python3.12 python3.11 python3 python)

# .venv/.made says where .venv was made: in a folder that was moved, or with a Python that is gone, it is made anew.
STALE := $(shell test -x $(BIN)/python && test "$$(cat .venv/.made 2>/dev/null)" = "$$(pwd -P)" || echo stale)

# JupyterLab saves a notebook with its outputs; this clone's git looks at it without them. At the end it looks once more at
# those where nothing else has changed, so that they are no change either.
EXTRA := --keep-id --extra-keys "metadata.language_info cell.metadata.execution"
STRIPPER = "$(CURDIR)/$(BIN)/nbstripout"
STRIP = if test -x $(STRIPPER); then $(STRIPPER) $(EXTRA); else cat; fi
SAVE_WITHOUT_OUTPUTS = if test -d .git; then git config filter.nbstripout.clean '$(STRIP)' && mkdir -p .git/info && \
	{ grep -qs nbstripout .git/info/attributes || echo '*.ipynb filter=nbstripout' >> .git/info/attributes; }; fi
FORGET_OUTPUTS = for notebook in notebooks/*.ipynb notebooks/labs/*.ipynb; do \
	if test -d .git && git diff --quiet -- "$$notebook"; then git add -- "$$notebook"; fi; done

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test browser soak simulate fuzz lab check docs bench clean stale

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/.have-notebook ## make .venv with all that demo and lab need

demo: .venv/.have-plots ## back real files up on a cluster of real processes, kill a server, restore, compare
	@$(BIN)/rpclab demo

# The tests start thousands of processes: where this is set, each would compile rpclab anew.
test browser soak: export PYTHONDONTWRITEBYTECODE =

test: .venv/.have-test ## run the tests, two files at once; four: make test JOBS=4
	@$(BIN)/python -m pytest --numprocesses $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder

browser: .venv/.have-browser build/npm ## try the notebooks and the page in a real browser (Chromium); pictures in out/browser/
	@$(BIN)/python -m pytest tests/browser

soak: .venv/.have-test ## the long trials: half an hour of kills, pauses, cuts, full disks and flipped bits; load, and a file of 10 GiB
	@RPCLAB_SOAK=1 $(BIN)/python -m pytest tests/trial -q

simulate: .venv/.have-test ## random workloads with random faults in the simulated world; longer: make simulate SEEDS=10000
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),200)

fuzz: .venv/.have-fuzz ## a minute of coverage-guided fuzzing (Linux); longer: make fuzz RUNS=10000000
	@$(BIN)/python -m fuzz --runs $(or $(RUNS),300000)

lab: .venv/.have-notebook ## open the notebooks in JupyterLab
	@$(SAVE_WITHOUT_OUTPUTS)
	@trap : INT; $(BIN)/jupyter lab notebooks/00-start-here.ipynb; $(FORGET_OUTPUTS)

check: .venv/.have-dev ## lint, format, types, and no outputs in the notebooks
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@set -- notebooks/*.ipynb notebooks/labs/*.ipynb; test ! -e "$$1" || $(BIN)/nbstripout --verify $(EXTRA) "$$@"

docs: .venv/.have-docs ## build the site, with all notebooks run: build/docs/index.html; shorter: make docs NOTEBOOKS="00"
	@$(BIN)/python docs/build.py $(NOTEBOOKS)

bench: .venv/.have-bench ## measure against other systems (takes minutes)
	@$(BIN)/python -m benchmarks

clean: ## remove .venv, caches and out/; what the servers hold stays
	@git config --remove-section filter.nbstripout 2>/dev/null || true
	@rm -rf .venv build dist out .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# axe-core, which finds in a page what is not accessible. Without npm its tests are skipped, and say so.
build/npm:
	@if command -v npm >/dev/null; then mkdir -p $@ && npm install --prefix $@ --no-audit --no-fund --silent axe-core@4 || \
		{ rm -rf $@; echo "rpclab: npm could not fetch axe-core; accessibility will not be tested" >&2; }; fi

# One stamp for each extra of pyproject.toml, older than pyproject.toml when it has to be installed again.
.venv/.have-%: pyproject.toml .venv/.made
	@echo "installing what rpclab[$*] needs ..."
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable ".[$*]" || \
		{ echo "rpclab: pip could not install it, for the reason above; then run make again" >&2; exit 1; }
	@touch $@

# Debian keeps ensurepip in a package of its own: without it a Python is passed over before it leaves half a .venv.
.venv/.made: $(STALE)
	@for python in $(PYTHONS); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		found=$$python; \
		why=$$("$$python" -c 'import ensurepip, venv' 2>&1) || continue; \
		echo "setting up .venv with $$("$$python" --version) ..."; \
		why=$$("$$python" -m venv --clear .venv 2>&1) && pwd -P > $@ && exit; \
	done; \
	if test -n "$$found"; then \
		echo "rpclab: $$found cannot make .venv ($$(echo "$$why" | tail -n 1)); on Debian and Ubuntu: sudo apt install python3-venv" >&2; \
	else \
		echo "rpclab: no Python 3.11 or newer found; install one, or name yours: make PYTHON=/path/to/python3" >&2; \
	fi; exit 1

stale:
