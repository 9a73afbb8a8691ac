# Two commands on a fresh machine: `make demo` and `make test`. Needs Python 3.11 or later, make, and a package index.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test proofs training nodes large check docs lock clean

demo: $(INSTALLED)  ## the main job on synthetic studies: archive, bundle, run, answers
	$(BIN)/screening demo out/demo

# the processes of tests share the cores: threads that wait are to sleep
test: $(INSTALLED) check  ## the quick tests, in a process more than there are cores
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -m "not slow" --numprocesses auto --no-loadscope-reorder

proofs: $(INSTALLED)  ## the slow proofs, three at a time, because each waits a good part of its time
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -m "slow and not training and not nodes and not large" --numprocesses 3 --no-loadscope-reorder --timeout 1500

training: $(INSTALLED)  ## the demo with a training of its own, which takes longest
	$(BIN)/python -m pytest -m training --timeout 1500

nodes: $(INSTALLED)  ## a night on several Ray nodes of this machine, which lose a node, an actor, both kinds of store and the driver
	$(BIN)/python -m pytest -m nodes --timeout 1500 -s

large: $(INSTALLED)  ## a night of 100,000 images, killed three times
	$(BIN)/python -m pytest -m large --timeout 5400 -s

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(INSTALLED): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --quiet --no-deps --no-build-isolation --editable .
	touch $@

docs: $(INSTALLED)  ## write the tables of README.md and docs/ anew
	$(BIN)/python -m jobs.update_docs

lock:  ## pin what the ranges in pyproject.toml resolve to today
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --editable ".[dev]" "torch==2.14.1" "torchvision==0.29.2" "ray==2.60.0"
	.venv-lock/bin/python -m pip freeze --all --exclude-editable | grep -v "^pip==" > requirements.lock
	rm -rf .venv-lock

clean:
	rm -rf out .venv
