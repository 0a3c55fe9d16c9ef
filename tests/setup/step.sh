#!/bin/sh
# Names a step, runs it, prints how long it took; the times are gathered for one table.
# usage: step.sh NAME COMMAND ARGUMENT...
#        step.sh reset | summary
set -eu

times=target/steps.txt
mkdir -p target

if [ "$#" -eq 1 ] && [ "$1" = reset ]; then
    : >"$times"
    exit 0
fi
if [ "$#" -eq 1 ] && [ "$1" = summary ]; then
    printf '\n=== steps so far; unit tests, twins, peers and browser come now ===\n'
    cat "$times"
    exit 0
fi

name=$1
shift
printf '\n=== %s ===\n' "$name"
begun=$(date +%s)
status=0
"$@" || status=$?
took=$(($(date +%s) - begun))
if [ "$status" -ne 0 ]; then
    printf '=== %s: FAILED with %d after %d s: %s ===\n' "$name" "$status" "$took" "$*" >&2
    exit "$status"
fi
printf '%6d s  %s\n' "$took" "$name" >>"$times"
printf '=== %s: %d s ===\n' "$name" "$took"
