# `make test` installs what it needs on a Debian machine and runs everything that decides.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: test quick tools format lint docs unit real bench soak fuzz

test: tools format lint docs unit real

quick: format lint unit

tools:
	tests/real/install.sh

format:
	cargo fmt --check

lint:
	cargo clippy --locked --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

unit:
	cargo test --locked

real:
	cargo build --locked --release
	tests/real/run.sh target/release/datasphere-exporter

# Prints figures and ratios; nothing is asserted.
bench:
	benches/run.sh

# Everything at once for an hour: what the exporter takes, and whether that grows. SOAK_MINUTES=10 for less.
soak:
	cargo build --locked --release
	benches/process/run.sh target/release/datasphere-exporter soak $(SOAK_MINUTES)

# A minute for each target; needs a nightly compiler and cargo-fuzz.
fuzz:
	fuzz/run.sh
