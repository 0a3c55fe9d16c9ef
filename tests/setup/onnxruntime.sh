#!/bin/sh
# Unpacks the libraries of ONNX Runtime and its WebGPU plugin from PyPI (onnxruntime.txt) into
# target/tools/onnxruntime and prints that folder: what models.runtime_dir of a site file names.
# usage: onnxruntime.sh
set -eu

pins=$(dirname "$0")/onnxruntime.txt
folder=$PWD/target/tools/onnxruntime

# The mark holds the pins: new pins are fetched, old libraries are never used by mistake.
if ! cmp -s "$pins" "$folder/pins.txt"; then
    echo "fetching ONNX Runtime and its WebGPU plugin from PyPI into target/tools (pinned by sha256)" >&2
    wheels=$folder.partial.$$
    rm -rf "$wheels"
    mkdir -p "$wheels/libraries"
    for glibc in 2_27 2_28; do platforms="${platforms:-} --platform manylinux_${glibc}_$(uname -m)"; done
    # shellcheck disable=SC2086 # one word a platform
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --only-binary=:all: --python-version 3.12 --implementation cp --abi cp312 --abi none $platforms \
        --target "$wheels/unpacked" --requirement "$pins" >&2
    cp "$wheels"/unpacked/onnxruntime/capi/libonnxruntime.so.* "$wheels"/unpacked/onnxruntime_ep_webgpu/libonnxruntime_*.so \
        "$wheels/libraries"
    cp "$wheels"/unpacked/onnxruntime/ThirdPartyNotices.txt "$wheels"/unpacked/onnxruntime/LICENSE "$wheels/libraries"
    cp "$pins" "$wheels/libraries/pins.txt"
    rm -rf "$folder"
    mv "$wheels/libraries" "$folder"
    rm -rf "$wheels"
fi
printf '%s\n' "$folder"
