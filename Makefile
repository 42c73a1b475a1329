# `make test` installs what it needs on a Debian machine and runs everything that decides.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: test quick tools cargo-tools format lint dependencies docs unit real sbom deb coverage bench soak fuzz

test: tools format lint dependencies docs unit real

quick: format lint unit

tools:
	tests/real/install.sh

# What judges and packs the program, where `tools` was not made: it takes minutes once.
cargo-tools:
	tests/real/install.sh cargo-tools

format:
	cargo fmt --check

lint:
	cargo clippy --locked --all-targets -- -D warnings

# Licenses, bans and sources of dependencies, and those that nothing uses.
dependencies: export PATH := $(CURDIR)/target/real/cargo/bin:$(PATH)
dependencies: cargo-tools
	cargo deny --locked --exclude-dev check licenses bans
	cargo deny --locked check sources
	cargo machete

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

unit:
	cargo test --locked

real:
	cargo build --locked --release
	tests/real/run.sh target/release/datasphere-exporter

# The bill of materials of the program, in CycloneDX: target/sbom.cdx.json.
sbom: export PATH := $(CURDIR)/target/real/cargo/bin:$(PATH)
sbom: cargo-tools
	deploy/sbom.sh target/sbom.cdx.json

# The Debian package: target/debian/.
deb: export PATH := $(CURDIR)/target/real/cargo/bin:$(PATH)
deb: cargo-tools
	cargo build --locked --release
	deploy/debian/build.sh

# What the tests reach of the code, and what they do not: target/coverage/.
coverage:
	tests/coverage.sh

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
