#!/bin/sh
# Runs Python with highdicom and pydicom, unpacked from PyPI into target/tools and pinned by hash (dicom-readers.txt).
# Nothing is installed into the system.
# usage: dicom-readers.sh ARGUMENT...     (arguments of python3)
set -eu

pins=$(dirname "$0")/dicom-readers.txt
# The folder is named after the pins, so new pins are fetched and old ones are never used by mistake.
folder=$PWD/target/tools/dicom-readers-$(sha256sum "$pins" | cut -c1-12)

if [ ! -d "$folder" ]; then
    echo "fetching highdicom and pydicom from PyPI into target/tools (pinned by sha256)" >&2
    unpacked=$folder.partial
    rm -rf "$unpacked"
    mkdir -p "$unpacked"
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --only-binary=:all: --target "$unpacked" --requirement "$pins" >&2
    mv "$unpacked" "$folder"
fi
PYTHONPATH=$folder PYTHONDONTWRITEBYTECODE=1 exec python3 "$@"
