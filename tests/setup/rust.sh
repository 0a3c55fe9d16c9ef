#!/bin/sh
# Says in one sentence when the Rust toolchain is missing or too old. Installs nothing: how a machine gets its
# compiler is its owner's choice.
# usage: rust.sh demo|test
set -eu

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
install="install Rust $wanted or newer (https://rustup.rs), with clippy and rustfmt, then run make again"

if ! command -v cargo >/dev/null 2>&1 || ! command -v rustc >/dev/null 2>&1; then
    echo "Sidelight needs a Rust toolchain and cargo is not on PATH: $install." >&2
    exit 1
fi
found=$(rustc --version | sed 's/^rustc \([0-9.]*\).*/\1/')
oldest=$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)
if [ "$oldest" != "$wanted" ]; then
    echo "Sidelight needs Rust $wanted or newer and this is Rust $found: $install." >&2
    exit 1
fi
if [ "$1" = test ] && ! { cargo clippy --version && cargo fmt --version; } >/dev/null 2>&1; then
    echo "make test lints with clippy and rustfmt, which this Rust $found lacks: rustup component add clippy rustfmt" >&2
    exit 1
fi
