# Development of the orchestrator itself. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /usr/bin/env bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
BIN := .venv/bin

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Publish a small module into a local registry, break it, finish it, read it back
	@scripts/setup.sh
	@scripts/demo.sh

.PHONY: test
test: setup-dev ## Everything CI checks: style, types, tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: lint
lint: setup-dev ## Style and format only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: setup-dev ## mypy only
	@$(BIN)/mypy

.PHONY: bench
bench: setup-dev ## Measure against the targets
	@$(BIN)/python benchmarks/run.py

.PHONY: docs
docs: ## Build the documentation into site/
	@scripts/setup.sh docs
	@$(BIN)/mkdocs build --strict

.PHONY: setup-dev
setup-dev:
	@scripts/setup.sh dev

.PHONY: clean
clean: ## Remove everything that was made here
	rm -rf .venv .demo .tox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist site
