# `make demo` and `make test` set up what they need in .venv; nothing else is touched.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint types web web-check web-test clean

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
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: .venv/dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types: .venv/dev
	$(BIN)/mypy

web/node_modules: web/package-lock.json
	cd web && npm ci
	touch $@

# The console's files, which are committed: whoever installs Lepton needs no node.
web: web/node_modules
	cd web && npm run build

# The console without a browser: lint, types, tests, and that the committed files are what its source makes.
web-check: web/node_modules
	cd web && npm run check && npm test && npx vite build --outDir ../build/console --emptyOutDir
	diff -r build/console src/lepton/serve/console
	! grep -n '"resolved"' web/package-lock.json

web-test: web-check .venv/dev
	CI=true $(BIN)/python -m pytest tests/web

clean:
	rm -rf .venv runs build web/node_modules
