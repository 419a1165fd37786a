# The commands of this repository. `make` alone lists them.
#
# Each installs what it needs first (scripts/setup says what and why) and can be run again at any time.

SHELL := /bin/bash
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Arguments for `howdah demo` and `howdah-bench run`, for example: make demo DEMO_ARGS='--replicas 1 --duration 30s'
DEMO_ARGS ?=
BENCH_ARGS ?=
# Arguments for scripts/pg-regress, for example: make regress REGRESS_ARGS='--modes transaction --tests prepare,guc'
REGRESS_ARGS ?= --modes session,transaction
# Seconds per fuzz target in `make test`.
FUZZ_SECONDS ?= 4
# Tests are built with switches that break the product on purpose; none is on but where a test shows that a check sees it. One build
# serves lints, tests and the program that tests start.
PLANTED := --features howdah-tests/planted-bugs,howdah-simulation/planted-bugs

.DEFAULT_GOAL := help
.PHONY: help demo test regress bench check build format

help: ## list these commands
	@echo 'Commands (start with make demo):'
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

demo: ## a PostgreSQL primary with replicas, Howdah in front, load, numbers; Ctrl-C stops and removes everything
	@scripts/setup demo
	@cargo build --release --locked -p howdah-cli
	@$(TARGET)/release/howdah demo $(DEMO_ARGS)

test: ## every test: units, real servers, drivers, fuzzing (under 40 minutes from nothing on 2 cores)
	@scripts/setup test
	@.ci/steps \
	  'the program' 'cargo build --workspace --bins --locked $(PLANTED)' \
  'tests' 'BUILD_BESIDE="export CARGO_BUILD_JOBS=1; fuzz/run build; cargo build --release --locked -p howdah-hot" HOWDAH_BIN=$(abspath $(TARGET))/debug/howdah .ci/tests --workspace --locked $(PLANTED)' \
  'instruction counts' '$(TARGET)/debug/howdah-bench hot --check' \
  'advice on a twentieth of TPC-H' '$(TARGET)/debug/howdah-bench tpch --scale 0.05 --budgets 250 --quiet' \
  'fuzzing, $(FUZZ_SECONDS) s per target' 'fuzz/run $(FUZZ_SECONDS)'

regress: ## PostgreSQL's own regression tests, directly and through Howdah (3 to 7 minutes; see docs/conformance.md)
	@scripts/setup test
	@scripts/pg-regress $(TARGET)/pg-regress $(REGRESS_ARGS)

bench: ## Howdah, PgBouncer and a direct connection side by side; writes bench/results/ (about 10 minutes)
	@scripts/setup bench
	@cargo build --release --locked -p howdah-cli -p howdah-bench
	@$(TARGET)/release/howdah-bench run $(BENCH_ARGS)

check: ## formatting, lints, house rules, documentation, licences (seconds once it is built)
	@.ci/steps \
	  'format' 'cargo fmt --all --check' \
	  'lints' 'cargo clippy --workspace --all-targets --locked $(PLANTED) -- -D warnings' \
	  'house rules' 'cargo test --quiet --locked -p howdah-tidy' \
	  'documentation' 'RUSTDOCFLAGS="-D warnings" cargo doc --workspace --lib --no-deps --locked --quiet' \
	  'dependencies' 'if cargo deny --version 2>/dev/null; then cargo deny check; \
	    else echo "cargo-deny is not installed: licences and bans were checked by the house rules, advisories were not"; fi'

build: ## the release binary, target/release/howdah
	@cargo build --release --locked -p howdah-cli

format: ## format all Rust code
	@cargo fmt --all
