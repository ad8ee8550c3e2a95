# Two commands for a newcomer: `make demo` and `make test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
ARGS ?=
DEBIAN_PROGRAMS := mbpoll chromium mosquitto mosquitto-clients openssl influxdb victoria-metrics nginx-light postgresql strace

.PHONY: help demo install test matrix peers check services soak sbom screenshots bench lock clean

help: ## say what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/'

demo: .venv/run.stamp ## play one batch in a simulated lab, e.g. make demo ARGS="--headless --json --seed 7"
	@exec $(BIN)/cultureops demo $(ARGS)

install: .venv/dev.stamp ## put everything into .venv

test: .venv/dev.stamp ## run the proofs
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile $(ARGS)

matrix: .venv/dev.stamp ## run what shows a requirement; writes docs/reference/requirements.md
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile --requirements requirements.json $(ARGS); status=$$?; \
	  $(BIN)/python -m tests.requirements requirements.json docs/reference/requirements.md && rm requirements.json; exit $$status

peers: .venv/dev.stamp ## run the proofs against programs of others alone
	@$(BIN)/python -m pytest -q -m peers $(ARGS) tests/peers

check: .venv/dev.stamp ## run the gates: style, types, who may import whom
	@$(BIN)/ruff check src drivers simulators tests benchmarks
	@$(BIN)/ruff format --check src drivers simulators tests benchmarks
	@$(BIN)/mypy
	@$(BIN)/lint-imports

soak: .venv/dev.stamp ## run the full counts; writes soak.json
	@$(BIN)/python -m pytest -q -m soak -n 2 --timeout 3600 --soak-report soak.json $(ARGS) tests

sbom: .venv/run.stamp ## list what the program is made of; writes sbom.cdx.json (CycloneDX)
	@rm -f sbom.cdx.json
	@$(BIN)/cultureops sbom --out sbom.cdx.json

screenshots: .venv/dev.stamp ## take the pictures of docs/screenshots anew
	@$(BIN)/python -m tests.screenshots

bench: .venv/dev.stamp ## measure; writes bench.json
	@$(BIN)/python -m benchmarks $(ARGS)

services: ## install Debian's programs that some tests run against (needs root or sudo)
	@sh tests/services/install.sh $(DEBIAN_PROGRAMS)

lock: ## resolve the requirements anew
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	@for set in run opentelemetry dev; do .venv-lock/bin/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" requirements/$$set.in -o requirements/$$set.txt; done
	@rm -rf .venv-lock

clean: ## remove what was made
	@rm -rf .venv .venv-peers dist build soak.json bench.json sbom.cdx.json

# Standard output belongs to the program (--json prints JSON alone): installing speaks on standard error.
.venv/python.stamp:
	@echo "making .venv ..." >&2
	@$(PYTHON) -c 'import sys; sys.exit("cultureops needs Python 3.11 or newer; set PYTHON=" if sys.version_info < (3, 11) else 0)' >&2
	@$(PYTHON) -m venv .venv >&2
	@touch $@

.venv/run.stamp: .venv/python.stamp requirements/run.txt pyproject.toml
	@echo "installing what a running lab needs ..." >&2
	@$(PIP) --require-hashes -r requirements/run.txt >&2
	@$(PIP) --no-deps --no-build-isolation -e . >&2
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt
	@echo "installing what tests and gates need ..." >&2
	@$(PIP) --require-hashes -r requirements/dev.txt >&2
	@touch $@
