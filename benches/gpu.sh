#!/bin/sh
# Measures everything on the GPU of a bare machine: no cargo, no network, no Mesa. One table on standard output.
# usage: gpu.sh [BINARY]
#
# Where there is cargo: cargo bench --no-run -p sidelight-kernels --bench gpu, and carry the binary it names here
# (default: .device/gpu). The machine needs the Vulkan loader (libvulkan1) and the card's driver; CuPy, numpy and
# cc3d (peers/requirements.txt) where it shall be compared with them.
set -eu

here=$(dirname "$0")
binary=${1:-$here/../.device/gpu}
[ -x "$binary" ] || { echo "no binary at $binary: see the head of $0" >&2; exit 2; }

command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
SIDELIGHT_PEERS=$here/peers exec "$binary" --bench
