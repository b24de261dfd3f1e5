# All that a newcomer must know: `make up` starts a node, `make test` proves it.
# Every target is one line in `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PROFILE ?= demo
RUNTIME ?=
export CARGO_TARGET_DIR ?= $(CURDIR)/target

.PHONY: help up down build web test check bench dist setup

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## List and install what is missing on a Debian machine to build.
	@scripts/setup build

build: setup ## Compile flash-node, flash-relay and flash-mint.
	@scripts/build

up: build ## Start the demo in the background and print its addresses (PROFILE=regtest: the full stack, in containers, as root).
	@scripts/up $(PROFILE) $(RUNTIME)

down: ## Stop the node that `make up` started; its data stay.
	@scripts/down $(PROFILE)

web: ## Show the dashboard's pages while they are written, on a mock back end (FLASH_NODE_URL: on a node).
	@scripts/web dev

test: ## Run every test, real services and foreign clients included, and end with what was skipped and why.
	@scripts/test

check: ## Formatting, lints, licences, the dashboard's types, unit and script tests: what every commit passes.
	@scripts/check

bench: ## Measure, beside rivals where they are present, and write target/bench.json.
	@scripts/bench

dist: build ## Pack one archive that runs on a clean Debian without a toolchain.
	@scripts/dist
