# `make demo` and `make test` set up what they need in .venv; nothing else is touched.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint types clean

.venv/train: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[train]"
	touch $@

.venv/dev: .venv/train
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[train,dev]"
	touch $@

demo: .venv/train
	$(BIN)/lepton run recipes/digits.toml -o runs/digits
	@echo
	@echo "a prediction by the packaged app:"
	$(BIN)/lepton predict runs/digits/app runs/digits/app/golden/inputs/0.png

test: .venv/dev
	$(BIN)/python -m pytest

lint: .venv/dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types: .venv/dev
	$(BIN)/mypy

clean:
	rm -rf .venv runs
