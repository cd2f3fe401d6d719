# Everything that a fresh clone needs is Python 3.11 or newer and make. All paths are relative, so that the
# directory may have a space in its name; everything that is made lies in .venv and var.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$p"; break; fi; done)
RUN = .venv/bin/python
ARGS ?=
# Test processes side by side; each has a PostgreSQL server of its own. One more than a small machine has cores, because
# they often wait.
JOBS ?= 3

export ONCE
.PHONY: help venv demo test check lint bench soak clean

help:
	@echo "make demo    an incident from damage to undo, then the portal stays up (ONCE=1: stops after the incident)"
	@echo "make test    all tests (ARGS='tests/domain -k vote' for some)"
	@echo "make check   what CI runs: lint, types, migrations, deployment checks, tests"
	@echo "make bench   measurements, one JSON object a line"
	@echo "make soak    the tests that run for minutes (SOAK_SECONDS=600: how long random histories are tried)"
	@echo "make clean   removes .venv, var and caches"

venv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" carecircle_ops/bootstrap.py

demo: venv
	@$(RUN) -m demo

test: venv
	$(RUN) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: lint test

lint: venv
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	MIGRATION_TOOLING=1 $(RUN) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	MIGRATION_TOOLING=1 SITE_URL=https://ops.example.org $(RUN) manage.py check --deploy --fail-level WARNING

bench: venv
	@$(RUN) -m tests.bench

soak: venv
	$(RUN) -m pytest -m soak $(ARGS)
	SOAK_EXAMPLES=$${SOAK_EXAMPLES:-300} $(RUN) -m pytest tests/services/restore/test_random_people.py

clean:
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
