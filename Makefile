.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
ONCE ?=
NEED_A_DATABASE := tests/unit/kit tests/unit/ingest tests/unit/copilot_drafter

help: ## show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment follows the lock file: a changed lock file makes it anew.
.venv/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Baton needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: .venv/.installed ## the line on embedded parts with sample conversations; ONCE=1 ends after them
	$(BIN)/baton up --samples $(if $(ONCE),--once)

test: .venv/.installed ## everything that needs PyPI alone
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-real: .venv/.installed ## the line on a real Kafka and PostgreSQL (needs Java, Maven, PostgreSQL, Node)
	$(BIN)/python -m tests.real.rig $(if $(filter 1,$(BATON_REAL_REQUIRED)),,|| true)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/real
	$(BIN)/python -m pytest -n 2 --dist loadfile --postgresql $(NEED_A_DATABASE)

lint: .venv/.installed ## style, types, layers, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m schemas.export --check
	$(BIN)/python -m services.cli.settings_page --check

lint-deploy: .venv/.installed ## the Compose file, the image, the alert rules and the dashboard, without running them
	deploy/lint.sh

generated: .venv/.installed ## write what is made from the code anew: schemas, topics, settings, the dashboard
	$(BIN)/python -m schemas.export
	$(BIN)/python -m services.cli.settings_page
	$(BIN)/python -m deploy.grafana.dashboard

up: ## the whole line with Docker, over the sandbox shop
	deploy/docker/secrets.sh
	docker compose up --build --detach --wait

down: ## stop it; what it keeps stays in its volumes
	docker compose down

.venv-train/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	@touch $@

models: .venv-train/.installed ## train and export the models on a CPU; DATA names the folder of public data
	@test -n "$(DATA)" || { echo "make models DATA=FOLDER: see services/lib/language/models/README.md for what it holds"; exit 1; }
	.venv-train/bin/python -m services.lib.language.train --data $(DATA) --out services/lib/language/models

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q pyproject.toml --extra dev -o requirements-dev.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q pyproject.toml -c requirements-dev.lock -o requirements.lock

clean: ## remove what was made here
	rm -rf .venv .venv-train build var .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help run test test-real lint lint-deploy generated up down models lock clean
