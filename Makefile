# Sidelight: two commands matter, `make demo` and `make test`. Both install what they need first and say so.
# Everything is built in the one `dev` profile (Cargo.toml), so the demo, the lints and the tests share their work.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DEFAULT_GOAL := help

CARGO := cargo
SETUP := tests/setup
WEB := appliance/web
# Runs a command with a Node that is new enough first on PATH, fetching one into target/tools when needed.
NODE := $(SETUP)/node.sh
# Names a step and prints how long it took.
STEP := $(SETUP)/step.sh
export RUST_BACKTRACE ?= 1

.PHONY: help demo test lint bench soak audit web packages-demo packages-test rust-demo rust-test onnxruntime

help:
	@echo 'make demo               one synthetic patient from scanner to screen; stays up until Ctrl-C'
	@echo 'make demo STUDY=folder  sends the DICOM files of that folder instead'
	@echo 'make demo ONCE=1        exits after printing, non-zero when the score is wrong'
	@echo 'make test               everything: lints, builds, tests with real peers (Debian)'
	@echo 'make lint               format, clippy, web lints, licences and sources of dependencies'
	@echo 'make bench              benchmarks (kernels, intake; benches/gpu.sh for a bare GPU machine)'
	@echo 'make soak               the crash scenarios and inference at length'
	@echo 'make audit              known vulnerabilities of dependencies; needs the advisory database'
	@echo 'make web                the reading-station application alone'

# --- the two commands ---------------------------------------------------------------------------------------

demo: packages-demo rust-demo web onnxruntime
	@$(STEP) 'build the box' $(CARGO) build --workspace --bins
	@target/debug/sidelight-demo $(if $(STUDY),--study '$(STUDY)') $(if $(ONCE),--once)

# The order is cheap first. The runner's own summary comes last: nothing may be printed after it.
test: packages-test rust-test onnxruntime
	@$(STEP) reset
	@$(MAKE) lint
	@$(STEP) 'tests of the reading station' $(NODE) npm --prefix $(WEB) test
	@$(STEP) 'readers of result objects (highdicom, pydicom)' $(SETUP)/dicom-readers.sh -c 'import highdicom, pydicom'
	@$(STEP) 'build the binaries the scenarios start' $(CARGO) build --workspace --bins
	@# --workspace: with one package alone cargo unites other features and builds half of the dependencies again.
	@$(STEP) 'benches, each once as a test' $(CARGO) test --workspace --bench '*'
	@$(STEP) summary
	@$(CARGO) test --workspace

# --- parts --------------------------------------------------------------------------------------------------

packages-demo packages-test: packages-%:
	@$(SETUP)/packages.sh $*

rust-demo rust-test: rust-%:
	@$(SETUP)/rust.sh $*

onnxruntime:
	@$(STEP) 'ONNX Runtime (what runs networks)' $(SETUP)/onnxruntime.sh

# The web application is built before cargo runs, because build.rs bundles what stands in dist/.
lint: rust-test web
	@$(STEP) 'format' $(CARGO) fmt --all --check
	@$(STEP) 'scripts' sh -c 'for script in $(SETUP)/*.sh .ci/run; do sh -n "$$script" || exit 1; done'
	@$(STEP) 'lints and types of the reading station' sh -c '$(NODE) npm --prefix $(WEB) run lint && $(NODE) npm --prefix $(WEB) run check'
	@$(STEP) 'licences, sources, duplicates' $(SETUP)/deny.sh check --hide-inclusion-graph bans licenses sources
	@$(STEP) 'dependencies resolve for aarch64' sh -c '$(CARGO) tree --locked --workspace --target aarch64-unknown-linux-gnu --edges normal,build >/dev/null'
	@$(STEP) 'clippy' $(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Release builds: what a customer runs. The table of intake comes last.
bench: packages-test rust-test web
	@$(STEP) 'build the box' $(CARGO) build --release --workspace --bins
	$(CARGO) bench --workspace --bench kernels
	$(CARGO) bench --workspace --bench gpu
	$(CARGO) bench --workspace --bench intake

soak: packages-test rust-test web onnxruntime
	$(CARGO) build --workspace --bins
	SIDELIGHT_SOAK=1 $(CARGO) test --package sidelight-models --test memory -- --nocapture
	@# Two hundred kills leave an archive thousands of objects to confirm.
	SIDELIGHT_SOAK=1 SIDELIGHT_PATIENCE_S=900 $(CARGO) test --workspace --test scenarios -- kill --nocapture

audit: rust-demo
	$(SETUP)/deny.sh check advisories

web: $(WEB)/dist/index.html

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	@$(STEP) 'packages of the reading station (npm ci)' $(NODE) npm --prefix $(WEB) ci --no-audit --no-fund
	@touch $@

# What the bundle is made of: everything tracked or new under appliance/web.
WEB_SOURCES := $(shell git ls-files --cached --others --exclude-standard -- $(WEB) 2>/dev/null)
$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(wildcard $(WEB_SOURCES))
	@$(STEP) 'build the reading station' $(NODE) npm --prefix $(WEB) run build
	@touch $@
