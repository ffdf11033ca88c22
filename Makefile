# Everything a person does with this project; `make` alone lists it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
CLIENTS := .venv-clients
CODE   := flows tasks blocks pipeline bridge dashboard forecastd local bench tests

DATA   ?=
PARAMS ?=
KEEP   ?=

.DEFAULT_GOAL := help
.PHONY: help venv neural up dashboard down status logs rollback demo test test-stack test-chaos test-clients sweep weather soak lint check format bench clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo
	@echo '  make demo DATA=my.csv [PARAMS=my-params.json]   your own data;  KEEP=no stops the stack at the end'
	@echo '  Ports: FORECAST_AWS_PORT (8500), FORECASTD_PORT (8600), FORECAST_PREFECT_PORT (4200), FORECAST_DASHBOARD_PORT (8700)'

venv: $(STAMP)  ## create .venv with everything pinned

$(STAMP): requirements.txt requirements-dev.txt constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; ok = v >= (3, 11); print(f"Python {v.major}.{v.minor} at {sys.executable}" + ("" if ok else " is too old: 3.11 or newer is needed, for example  make PYTHON=python3.12 " + "$(MAKECMDGOALS)")); sys.exit(not ok)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing the pinned packages into $(VENV) (once; a few minutes) …'
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --quiet \
		-r requirements-dev.txt -c constraints.txt
	@$(BIN)/python -m local.openmp
	@touch $@

neural: venv  ## add what Deep_AR_Plus and CNN-QR need (torch; some 800 MB)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --quiet \
		-r requirements-neural.txt -c constraints.txt

up: venv  ## start the local stack, or do nothing if it runs
	@$(BIN)/python -m local up

dashboard: venv  ## open the dashboard, with the stack behind it
	@$(BIN)/python -m local dashboard

down:  ## stop it; objects, models and runs stay in .local/
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local down; fi

status: venv  ## which parts run, where, and how they are
	@$(BIN)/python -m local status

logs: venv  ## where the logs are
	@$(BIN)/python -m local logs

rollback: venv  ## publish an earlier forecast of the local stack again: ARGS=--list, --previous or '--run …'
	@set -a; . .local/env; $(BIN)/python -m flows.rollback $(ARGS)

demo: venv  ## upload data and follow it to a published forecast
	@$(BIN)/python -m local demo --data '$(DATA)' --params '$(PARAMS)' $(if $(KEEP),--keep '$(KEEP)')

test: venv  ## the tests, without those that start the whole stack or kill runs
	@$(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile -m 'not stack and not chaos'

test-chaos: venv  ## runs killed at their AWS calls, and runs in bad weather; the short form
	@$(BIN)/python -m pytest -q -m chaos

sweep: venv  ## a run killed at each of its AWS calls, in each way (an hour)
	@$(BIN)/python -m tests.chaos sweep --bare --lanes 4

weather: venv  ## twenty runs while a fifth of all AWS calls fails
	@$(BIN)/python -m tests.chaos weather

soak: venv  ## 1,000 uploads to 20 workloads while bridge, worker and Prefect server are killed (half an hour)
	@$(BIN)/python -m bench.soak

test-stack: venv  ## the tests on a whole stack of their own, on free ports
	@$(BIN)/python -m pytest -q -m stack

test-clients: venv  ## the SQL of the local Athena through awswrangler and the aws CLI, in a .venv of theirs
	@test -x $(CLIENTS)/bin/python || $(PYTHON) -m venv $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip install --disable-pip-version-check --progress-bar off --quiet \
		-r tests/athena/requirements-clients.txt
	@FORECAST_SQL_CLIENTS=$(CURDIR)/$(CLIENTS)/bin/python $(BIN)/python -m pytest -q tests/athena/test_other_clients.py

lint: venv  ## format, lint, types, import contracts
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test  ## everything that must be green before a commit

format: venv  ## put the code into its form
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

bench: venv  ## measure: from an upload to the run (needs `make up`), and accuracy (needs FORECAST_DATA)
	@$(BIN)/python -m bench.latency
	@if [ -n "$$FORECAST_DATA" ]; then $(BIN)/python -m bench.accuracy; else echo 'FORECAST_DATA is not set: accuracy not measured'; fi

clean: down  ## stop the stack and remove .local/, .venv and caches
	@rm -rf .local $(VENV) $(CLIENTS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
