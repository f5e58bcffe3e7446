# The front door. What each target does is in the script or the CMake preset that it calls.
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup build up down test test-browser package package-test soak soak-faults soak-workflows soak-migration soak-rotation soak-rollout soak-contract soak-connections rehearse-delivery bench docs lint fmt install clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Bring compilers and libraries (everything else calls it; nothing to do costs nothing)
	@tools/setup

build: setup ## Build for release; leaves build/prism and build/fn/<function>/bootstrap
	@tools/build release

up: build ## Install what is missing, build, start a region in the background and say how to use it
	@build/prism up --detach

down: ## Stop the region that `make up` started
	@build/prism down

# TEST_MORE: options of tools/run-tests for what shall run besides.
test: ## Run unit tests, the replay of fuzz inputs, the tests of a whole region and of infra/
	@tools/setup test package
	@tools/run-tests --unit --sys --aws --infra $(TEST_MORE)

test-browser: ## Show a page of another origin in Chromium, which uses the API of a region (`make test` does too where there is a browser)
	@tools/setup test browser
	@tools/run-tests --sys -k test_browser

package: ## Build the functions for arm64 and x86_64, leave ZIPs, images and bills of materials in build/artifacts
	@tools/setup package
	@tools/build release
	@tools/build cross
	@build/prism package --output build/artifacts

package-test: ## Test the packages of all functions for both architectures
	@tools/setup test package
	@tools/build cross
	@tools/run-tests --sys -k test_package

soak: build ## Kill a region for an hour or so while a million records are sent, sealed and compacted
	@tools/setup test
	@PRISM_KILL_ROUNDS=100 PRISM_KILL_RECORDS=1000000 tools/run-tests --sys -k test_kill

soak-faults: build ## Store, seal and compact through a thousand schedules of faults between the functions and their stores
	@tools/setup test infra
	@PRISM_FAULT_SCHEDULES=1000 tools/run-tests --sys -k test_faults

soak-workflows: build ## Kill a region 500 times while a thousand executions of workflows go through it
	@tools/setup test
	@PRISM_WORKFLOW_KILLS=500 PRISM_WORKFLOW_EXECUTIONS=1000 tools/run-tests --sys -k test_executions_survive

soak-migration: build ## Move a tenant to and fro 200 times under writers and readers, kills, a late registry and partitions
	@tools/setup test
	@PRISM_FIRE_ROUNDS=$${PRISM_FIRE_ROUNDS:-200} PRISM_FIRE_SEED=$${PRISM_FIRE_SEED:-1} PRISM_FIRE_AIM_MS=2000 PRISM_FIRE_LONG_CUTS=0.1 PRISM_FIRE_CONTROLS=$${PRISM_FIRE_CONTROLS:-40} \
		PYTEST_ADDOPTS=-s tools/run-tests --sys -k test_migration_under_fire

soak-rotation: build ## A minute at 80 % of the rate that a region holds, over three rotations of each kind of secret
	@tools/setup test
	@PRISM_ROTATION_S=60 PYTEST_ADDOPTS=-s tools/run-tests --sys -k test_no_request_fails_over_three_rotations

soak-rollout: build ## Bad versions of a function under steady load: more than 99.9 % of the calls succeed
	@tools/setup test
	@PRISM_SOAK_ROLLOUT=1 PYTEST_ADDOPTS=-s tools/run-tests --sys -k test_bad_versions_cost_less

soak-contract: build ## Ask a region a thousand things by each operation of its contract, as schemathesis makes them up
	@tools/setup test
	@PRISM_CONTRACT_EXAMPLES=$${PRISM_CONTRACT_EXAMPLES:-1000} PRISM_CONTRACT_SEED=$${PRISM_CONTRACT_SEED:-$$(date +%s)} PYTEST_ADDOPTS=-s \
		tools/run-tests --sys -k test_region_answers_as_the_contract_says

soak-connections: build ## 10,000 idle connections and 1,000 active ones beside slow, half-open and greedy ones; prints what the gateway takes
	@tools/setup test
	@PRISM_SOAK_CONNECTIONS=1 PYTEST_ADDOPTS=-s tools/run-tests --sys -k test_connections

# PRISM_REHEARSAL: options of tests/rehearsal/delivery.py, such as `--keep FOLDER --acts good,alarm`.
rehearse-delivery: build ## Deliver through all of platform/pipeline.json with the real Terraform on an emulator of AWS; then bad changes and kills
	@tools/setup test infra
	@"$$(tools/setup --path venv-infra)/bin/python" tests/rehearsal/delivery.py $(PRISM_REHEARSAL)

bench: ## Run the benchmarks, each beside its reference
	@tools/setup bench infra
	@tools/build release
	@bench/run

docs: build ## Write docs/api.md anew from platform/api.openapi.json
	@build/release/tools/apidoc platform/api.openapi.json > docs/api.md

lint: ## Check format, clang-tidy, headers, scripts, infra/
	@tools/setup test infra lint
	@tools/lint

fmt: ## Format the C sources and infra/ in place
	@tools/setup lint
	@git ls-files -co --exclude-standard -- 'src/*.[ch]' 'tests/*.[ch]' | xargs -r clang-format-14 -i
	@terraform=$$(tools/setup --path terraform) && "$$terraform/bin/terraform" fmt -recursive infra || echo "infra/ is not formatted: run tools/setup infra"

install: build ## Install under PREFIX (default /usr/local): the command, its functions, its definitions
	@cmake --install build/release --prefix '$(abspath $(DESTDIR)$(PREFIX))' --strip

clean: ## Remove everything that was built (the cache of tools/setup stays)
	@rm -rf build
