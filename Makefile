# Development commands. Each sets up what it needs, on a machine that has only make, git and a Python 3.
#
# An environment per Python version lives in .venv/<version>. .venv/<version>/<extra>.installed records that the
# project is installed there with that extra; it is remade when pyproject.toml changes.
#
#   make check VERSION=3.12     another Python than the default
#   make test JOBS=4            another number of test processes than one per core
#   make suite ARGS="-k tcp"    arguments for pytest

.DEFAULT_GOAL := help
.SECONDEXPANSION:
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
MAKEFLAGS += --no-print-directory

FIND := python3 tools/interpreters.py
JOBS := auto --maxprocesses=8
ARGS :=

# Looked up when first used, and then only once: `make help` need not search for interpreters.
VERSION = $(eval VERSION := $$(shell $$(FIND) default))$(VERSION)
NEWEST = $(eval NEWEST := $$(shell $$(FIND) newest))$(NEWEST)
python = .venv/$(VERSION)/bin/python

.PHONY: help test check suite static format-check lint types format demo bench bench-real zoo unmodified docs fidelity coverage clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

# The first Python has Sphinx too: one of its tests builds the documentation.
test: ## everything: format, lint and types once, then the test suite on every Python found
	@versions="$$($(FIND) list)" || exit 1; failed=; args=; \
	echo "simnet: testing on Python $$versions"; \
	$(MAKE) --keep-going static .venv/$${versions%% *}/docs.installed VERSION="$${versions%% *}" \
	    || failed=" static checks,"; \
	for version in $$versions; do \
	    $(MAKE) suite VERSION="$$version" ARGS="$$args" || failed="$$failed Python $$version,"; \
	    args="-m 'not once'"; \
	done; \
	echo "simnet: tested on Python $$versions: $${failed:+FAILED:}$${failed:-passed}" | sed 's/,$$//'; \
	test -z "$$failed"

check: static suite ## the same on one Python

suite: .venv/$$(VERSION)/test.installed .zoo/fetched ## the test suite on one Python
	@echo "simnet: test suite on Python $(VERSION)"
	@$(python) -m pytest -n $(JOBS) --dist=worksteal $(ARGS)

static: format-check lint types

format-check: .venv/$$(VERSION)/lint.installed
	@$(python) -m ruff format --check .

lint: .venv/$$(VERSION)/lint.installed ## ruff
	@$(python) -m ruff check .

types: .venv/$$(VERSION)/lint.installed .venv/$$(VERSION)/test.installed ## mypy --strict
	@$(python) -m mypy

format: .venv/$$(VERSION)/lint.installed ## rewrite the sources in the house format
	@$(python) -m ruff check --fix-only .
	@$(python) -m ruff format .

demo: .venv/$$(VERSION)/http.installed ## a first look
	@$(python) -m examples.demo

bench: VERSION = $(NEWEST)
bench: .venv/$$(VERSION)/bench.installed ## the benchmarks, on the newest Python found
	@$(python) -m benchmarks $(ARGS)

bench-real: VERSION = $(NEWEST)
bench-real: .venv/$$(VERSION)/bench.installed ## the loop on real sockets beside other loops, in six minutes
	@$(python) -m benchmarks.real $(ARGS)

zoo: .venv/$$(VERSION)/test.installed ## search for the bugs of tests/zoo: ten minutes, most of them for Hypothesis
	@$(python) -m tests.zoo --fetch
	@$(python) -m tests.zoo $(ARGS)

unmodified: .venv/$$(VERSION)/test.installed ## the table of packages that run unmodified: docs/reference/unmodified.md
	@$(python) -m tests.unmodified --write docs

docs: .venv/$$(VERSION)/docs.installed ## the documentation, into docs/_build/html
	@$(python) -m sphinx -W --keep-going --quiet -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

fidelity: .venv/$$(VERSION)/test.installed ## the table of every call in every state: docs/fidelity.md and .json
	@$(python) -m simnet.cli fidelity --write docs

coverage: .venv/$$(VERSION)/test.installed ## the test suite in one process, with the lines it missed
	@$(python) -m coverage run -m pytest $(ARGS)
	@$(python) -m coverage report

clean: ## remove environments, caches and what was built; keeps recorded failures (.simnet, .hypothesis)
	rm -rf .venv .zoo .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.* htmlcov build dist docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The tests that need a release which could not be brought are skipped; the next suite tries again.
.zoo/fetched: tests/zoo/releases.py
	@mkdir -p .zoo; $(python) -m tests.zoo --fetch > .zoo/pip.log 2>&1 && touch $@ \
	    || echo "simnet: not every release of tests/zoo could be brought, see .zoo/pip.log"

.PRECIOUS: .venv/%/bin/python .venv/%.installed

.venv/%/bin/python:
	@found="$$($(FIND) path $*)" && echo "creating .venv/$* with $$found" && "$$found" -m venv --clear .venv/$*

# pip is heard only when it fails.
.venv/%.installed: pyproject.toml .venv/$$(*D)/bin/python
	@echo "installing simnet-harness[$(*F)] into .venv/$(*D)"
	@.venv/$(*D)/bin/python -m pip install --no-input --disable-pip-version-check --editable '.[$(*F)]' \
	    > .venv/$(*D)/pip.log 2>&1 || { cat .venv/$(*D)/pip.log; exit 1; }
	@touch $@
