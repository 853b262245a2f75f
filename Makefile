# Everything a visitor may want, with nothing but git, make and python3 on the machine.
# `make run` and `make test` are all there is to remember.

# The distribution's own Python: no other one can load the distribution's python3-systemd.
PYTHON ?= /usr/bin/python3
ARGS   ?=

VENV    := .venv
BIN     := $(VENV)/bin
# pip never compiles here: a package without a wheel is an error, not a hunt for a compiler.
INSTALL := $(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check \
           --only-binary :all: --require-hashes --no-deps --requirement

# In the stamps' names, so that another Python (PYTHON=..., a release upgrade) starts afresh.
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
PIP_STAMP      := $(VENV)/.pip-$(PYTHON_VERSION)
RUN_STAMP      := $(VENV)/.run-$(PYTHON_VERSION)
TEST_STAMP     := $(VENV)/.test-$(PYTHON_VERSION)

# Debian and Ubuntu; another distribution's administrator installs what is named.
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120
APT_INSTALL := $(APT) update && $(APT) install --yes --no-install-recommends
IS_INSTALLED := dpkg-query --show --showformat '$${db:Status-Status}\n'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test coverage lab lab-full bench bench-cni soak gpu gpu-kit lab-shell generated wheel doctor-file lock \
        clean journal compiler \
        lab-packages

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN_STAMP) journal ## Run the daemon on this machine; ARGS="--observe" passes options
	@$(BIN)/python -m agent run $(ARGS)

test: $(TEST_STAMP) journal compiler ## Run the fast tests, linters included; ARGS="-k flap" passes options
	@$(BIN)/python -m pytest --ignore=tests/e2e $(ARGS)

coverage: $(TEST_STAMP) ## Run the fast tests and say which lines and branches they miss
	@$(BIN)/python -m coverage run -m pytest --ignore=tests/e2e $(ARGS)
	@$(BIN)/python -m coverage report

# Two processes, each with machines of its own; who runs what: tests/e2e/conftest.py.
LAB := $(BIN)/python -m pytest tests/e2e --timeout=1800 -p xdist --numprocesses=2 --dist=loadscope

# Booting a machine in software emulation takes its time: the fast tests' time limit is not for it.
lab: lab-packages $(TEST_STAMP) ## Run the tests on real kernels in virtual machines (as root)
	@$(LAB) -m 'lab and not full' $(ARGS)

lab-full: lab-packages $(TEST_STAMP) ## Run all of the lab on every release (as root)
	@$(LAB) -m lab $(ARGS)

bench: lab-packages $(TEST_STAMP) ## Measure beside node_exporter, write docs/bench.md (as root)
	@$(BIN)/python -m tests.bench $(ARGS)

bench-cni: $(TEST_STAMP) ## Measure the CNI guard in a namespace, write docs/cni-guard-bench.md (as root)
	@$(BIN)/python -m tests.bench.cni $(ARGS)

soak: $(TEST_STAMP) ## A million facts through the daemon: memory and descriptors must be flat
	@$(BIN)/python -m tests.bench.soak $(ARGS)

gpu: $(RUN_STAMP) ## On a machine with an NVIDIA GPU: is what is said of its memory true? ARGS=OUT
	@$(BIN)/python -m tests.gpu $(ARGS)

# For a machine that can fetch nothing: PYTHONPATH=.gpu-kit python3 -m tests.gpu
gpu-kit: $(PIP_STAMP) ## Put what `make gpu` needs into .gpu-kit, to be carried elsewhere
	@rm -rf .gpu-kit
	@$(INSTALL) requirements/run.txt --target .gpu-kit

lab-shell: lab-packages $(TEST_STAMP) ## Boot a node with a USB NIC and log in (as root)
	@$(BIN)/python -m tests.lab.shell $(ARGS)

generated: $(TEST_STAMP) ## Write the files that are made from tables: catalog, docs, golden metrics
	@$(BIN)/python tools/generate.py

doctor-file: ## Put the doctor into dist/nodemend-doctor.pyz, which needs nothing but Python
	@$(PYTHON) tools/doctor_file.py

wheel: $(TEST_STAMP) ## Build dist/nodemend-*.whl
	@rm -rf dist
	@$(BIN)/python -m hatchling build --target wheel

lock: $(PIP_STAMP) ## Resolve all dependencies again and write requirements/*.txt
	@$(INSTALL) requirements/lock.txt
	@$(LOCK) pyproject.toml --output-file requirements/run.txt
	@$(LOCK) pyproject.toml --group test --constraint requirements/run.txt \
	    --output-file requirements/test.txt
	@$(LOCK) --group bench --output-file requirements/bench.txt
	@$(LOCK) --group lock --output-file requirements/lock.txt

# Every Python from 3.10 on and both architectures in one file, with the digest of each wheel.
LOCK := $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.10 \
        --no-python-downloads --generate-hashes --no-emit-package systemd-python \
        --custom-compile-command 'make lock'

clean: ## Remove everything that was made here
	rm -rf $(VENV) .gpu-kit dist .coverage .lab-artefacts .hypothesis
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find agent tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(PIP_STAMP): tools/bootstrap_pip.py
	@test -n '$(PYTHON_VERSION)' || { echo '$(PYTHON) does not run. Install python3, or name' \
	    'another one: make PYTHON=/usr/bin/python3.11' >&2; exit 1; }
	@echo 'Making a virtual environment in $(VENV), once.'
	@$(PYTHON) -m venv --clear --without-pip --system-site-packages $(VENV)
	@$(BIN)/python tools/bootstrap_pip.py
	@touch $@

$(RUN_STAMP): requirements/run.txt $(PIP_STAMP)
	@$(INSTALL) $<
	@touch $@

# What the tests need includes what the daemon needs: `make run` has nothing left to do then.
$(TEST_STAMP): requirements/test.txt $(PIP_STAMP)
	@$(INSTALL) $<
	@touch $@ $(RUN_STAMP)

# Structured journal fields come from python3-systemd; without it the daemon runs as well.
journal: $(PIP_STAMP)
	@can_import() { $(BIN)/python -c 'import systemd.journal' 2>/dev/null; }; \
	can_import && exit; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo 'Installing python3-systemd, for the journal.'; \
	    $(APT_INSTALL) python3-systemd >/dev/null; \
	fi; \
	can_import || echo 'No journal: $(PYTHON) has no systemd.journal.' \
	    'As root: apt-get install python3-systemd'

# The NVML double is built by the tests; without a compiler they skip what needs it, and say so.
compiler:
	@command -v cc >/dev/null && exit; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo 'Installing gcc, for the NVML double.'; \
	    $(APT_INSTALL) gcc libc6-dev >/dev/null; \
	fi; \
	command -v cc >/dev/null || echo 'No C compiler: the tests on the NVML double are skipped.' \
	    'As root: apt-get install gcc libc6-dev'

lab-packages:
	@[ "$$(id -u)" = 0 ] || { echo 'The lab boots machines and plugs in USB devices: run it as' \
	    'root, on a machine where that is welcome.' >&2; exit 1; }
	@missing=; for package in $$(sed 's/#.*//' tests/lab/packages.txt); do \
	    $(IS_INSTALLED) $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] || { echo "Installing$$missing."; $(APT_INSTALL) $$missing >/dev/null; }
