# Two commands for a newcomer: `make demo` and `make test`. Both set everything up first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test test-slow check clean

setup: $(STAMP)

# torch comes first and by itself, so that nothing pulls another build of it in.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

# "Not proven" (1) and "could not tell" (3) are answers, and on a noisy machine the right ones; 2 is a failure.
demo: setup
	rm -rf out/demo
	$(BIN)/hotloop tune examples/digits_cnn.py --budget 5m --out out/demo; code=$$?; \
	  case $$code in 0|1|3) echo "page: out/demo/report.html   plan: out/demo/plan.toml";; *) exit $$code;; esac

test: setup
	./check

test-slow: setup
	$(BIN)/python -m pytest -m slow

check: test

clean:
	rm -rf $(VENV) out build
