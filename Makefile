# `make demo` and `make test` do everything; the rest is for working on Surveyor.
# Both install what they need (Debian and PyPI packages, one cargo tool) and say what they install.

SHELL := /bin/bash
LAB_DIR := $(if $(SURVEYOR_LAB_DIR),$(SURVEYOR_LAB_DIR),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/surveyor-lab)
PYTHON := $(LAB_DIR)/cache/venv/bin/python
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
LAB := python3 tests/lab/lab.py

.PHONY: demo test test-full fast bench lab-up lab-down

## The main job, end to end, against a real NetBox.
demo:
	$(LAB) up --instance demo
	cargo build --locked
	$(PYTHON) tests/demo/demo.py --bin $(TARGET)/debug/surveyor

## All tests, the real-NetBox ones included.
test:
	bash tests/run.sh

## Everything, every crash point, long fuzzing: hours.
test-full:
	SURVEYOR_FULL=1 bash tests/run.sh

## What a commit has to pass: no lab.
fast:
	bash tests/run.sh fast

## Speed, against something in the same run.
bench:
	$(LAB) up --instance e2e
	cargo build --locked --release
	$(LAB) install bench
	$(PYTHON) tests/bench/bench.py --bin $(TARGET)/release/surveyor
	$(PYTHON) tests/bench/sources.py --bin $(TARGET)/release/surveyor

lab-up:
	$(LAB) up --instance e2e,demo

lab-down:
	$(LAB) down
