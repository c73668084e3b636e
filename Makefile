# What `make` alone prints. Everything is installed below this folder: .venv (what runs) and .uv (what installs it).
.DEFAULT_GOAL := help
.PHONY: help serve install install-dev test check format reference bench peers wheel release docs lock audit mutants clean
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Two processes, and the tests of one file in one of them, so that a file's servers start once.
PYTEST_ARGS ?= -n 2 --dist loadfile
# What `make bench` passes on.
ARGS ?=

help:
	@echo "make serve    install what is missing and start the service; EXTRAS=all installs every driver"
	@echo "make test     install what is missing and run the tests"
	@echo "make check    formatting, lint, types, layers, docs and wording"
	@echo "make format   format the code and mend what lint can mend"
	@echo "make reference  rewrite the pages of docs/ and files of deploy/ that are made from the code"
	@echo "make bench    measure the service against its baselines"
	@echo "make peers    measure it beside Airflow and Superset"
	@echo "make wheel    build the wheels moorings and moorings-client, and their SBOMs, into dist/"
	@echo "make release  the same, with a signed list of checksums; SIGNING_KEY=<private key of ssh-keygen>"
	@echo "make docs     the documentation on http://127.0.0.1:8100"
	@echo "make lock     choose new versions of the dependencies (requirements/*.lock)"
	@echo "make audit    look up known vulnerabilities of everything in the locks (asks the package registry)"
	@echo "make mutants  change the code in small ways, and show which changes no test notices"
	@echo "make clean    remove what was installed and built here; your data in .moorings stays"

serve:
	@sh scripts/install.sh serve
	@exec $(BIN)/moorings serve --take-terminal

install:
	@sh scripts/install.sh serve

install-dev:
	@sh scripts/install.sh dev

test: install-dev
	@sh scripts/engines.sh
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/codespell
	$(BIN)/python scripts/prose.py

format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install-dev
	@sh scripts/engines.sh
	$(BIN)/python -m benchmarks $(ARGS)

reference: install-dev
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/dashboard.py

peers: install-dev
	$(BIN)/python -m benchmarks.peers $(ARGS)

wheel: install
	@sh scripts/wheel.sh

release: install-dev
	@sh scripts/release.sh

docs: install-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8100

lock:
	@sh scripts/lock.sh

audit:
	@sh scripts/audit.sh $(ARGS)

mutants: install-dev
	@sh scripts/mutants.sh $(ARGS)

clean:
	rm -rf .venv .uv .audit .mutants .engines .node .viewer src/moorings/api/browser/viewer site dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
