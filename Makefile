# `make demo` and `make test` do everything on a fresh machine, the environment included.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo check test lint types borders dependencies style slowest test-airflow fix clean
.DEFAULT_GOAL := help

help:  ## Print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(READY)  ## Fine-tune on the embedded demo: report and model in demo/
	$(BIN)/python run.py --pipeline retrain --out demo

check: lint  ## Lint, types, borders and the fast tests
	$(BIN)/pytest -q -n 2 --dist worksteal -m "not slow" --durations 5 --durations-min 1

test: lint  ## Everything: make check, then what starts, trains and runs
	$(BIN)/pytest -n 2 --dist worksteal

lint: $(READY)  ## Style, types, who may import whom, and declared dependencies
	@$(MAKE) --no-print-directory -j 4 types borders dependencies style

types:
	$(BIN)/mypy

borders:
	$(BIN)/lint-imports

dependencies:
	$(BIN)/deptry .

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

slowest: $(READY)  ## The 20 slowest tests
	$(BIN)/pytest -q -n 2 --dist worksteal --durations 20 --durations-min 1

test-airflow: $(READY) .venv-airflow/.ready  ## A schedule that Airflow fires by itself; installs Airflow into .venv-airflow
	FINETRIEVE_AIRFLOW=.venv-airflow/bin $(BIN)/pytest -q tests/pipelines/test_airflow.py

# Airflow pins older packages than the project, so it has an environment of its own, as it has in practice.
.venv-airflow/.ready:
	test -x .venv-airflow/bin/python || $(PYTHON) -m venv .venv-airflow
	.venv-airflow/bin/pip install --quiet --disable-pip-version-check "apache-airflow==2.10.5" "apache-airflow-providers-docker<4.4" "SQLAlchemy<2" pydantic
	@touch $@

fix: $(READY)  ## Format and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environment and the demo's results
	rm -rf .venv .venv-airflow demo
