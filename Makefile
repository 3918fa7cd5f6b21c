# Nestling. `make demo` and `make test` need Python 3.11+ and make, nothing else; scripts/bootstrap does the rest.
BIN = .venv/bin
# A process for each core, at most four; a file of tests stays in one. Each has a database of its own.
ABREAST = --numprocesses auto --maxprocesses 4 --dist loadfile
MAKEFLAGS += --no-print-directory
.PHONY: demo test long check wheel bench lock clean setup setup-browser

# What was typed, with what it named: so says the demo itself how to start it on another port.
DEMO_TYPED = make demo$(if $(HOUSEHOLDS), HOUSEHOLDS=$(HOUSEHOLDS))$(if $(READY_FILE), READY_FILE='$(READY_FILE)')

demo: setup ## from nothing to a working day; Ctrl-C ends it and keeps its data
	@NESTLING_STARTED_AS="$(DEMO_TYPED)" exec $(BIN)/nestling demo $(if $(READY_FILE),--ready-file '$(READY_FILE)') $(if $(HOUSEHOLDS),--households $(HOUSEHOLDS))

test: setup-browser ## every test not marked long, on real services
	@TREE_BEFORE=$$(scripts/tree); export TREE_BEFORE; $(BIN)/python -m pytest -q $(ABREAST) && scripts/tree --passed

long: setup-browser ## storms, the wheel in an empty folder, large property runs: at most 30 minutes
	@$(BIN)/python -m pytest -q -m long --timeout 900 $(ABREAST)

check: setup ## format, lint, types, layers, schema and migrations in step, tests unless passed on this very tree
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nestling schema --check
	$(BIN)/nestling migrate --check
	@if scripts/tree --tested; then echo "tests: passed on this very tree"; else $(MAKE) test; fi

wheel: setup ## the wheel in dist/
	$(BIN)/python -m build --wheel --no-isolation

bench: setup ## how fast, against a floor in the same run; writes bench/results.json
	$(BIN)/python -m bench

lock: setup ## requirements.lock anew from pyproject.toml; it names no hosts
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --extra demo --extra embedded --group dev pyproject.toml -o requirements.lock

clean: ## remove the environment and everything the demo made
	@if [ -x $(BIN)/nestling ]; then for kept in test bench ""; do \
		DATA_DIR=$${DATA_DIR:-.nestling}/$$kept $(BIN)/nestling demo reset --yes || exit 1; done; fi
	rm -rf .venv .nestling dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

setup:
	@scripts/bootstrap

setup-browser:
	@scripts/bootstrap --browser
