# shellcheck shell=bash disable=SC2034 # deploy.sh and undeploy.sh use these variables
# Settings and functions that deploy.sh and undeploy.sh share.

REGION=${REGION:-us-central1}
CLUSTER=${CLUSTER:-checkout}
NETWORK=${NETWORK:-default}
NAMESPACE=${NAMESPACE:-default}
RELEASE=checkout
NAT=nat-gw-$REGION ROUTER=rtr-$REGION ADDRESS=$REGION-nat-ip
FIREWALL=all-pods-and-master-ipv4-cidrs

die() { echo "${0##*/}: $*" >&2; exit 1; }

# run CMD…: print the command, and run it unless DRY_RUN=1.
run() {
    { printf '+' && printf ' %q' "$@" && echo; } >&2
    [ "${DRY_RUN:-0}" = 1 ] || "$@"
}

# exists DESCRIBE_CMD…: true if the command finds the resource. With DRY_RUN=1 nothing exists, and no command runs.
exists() { [ "${DRY_RUN:-0}" != 1 ] && "$@" >/dev/null 2>&1; }

# require PROGRAM…: exit if a program is not installed.
require() {
    [ "${DRY_RUN:-0}" = 1 ] && return
    local program missing=()
    for program; do command -v "$program" >/dev/null || missing+=("$program"); done
    [ ${#missing[@]} = 0 ] || die "not installed: ${missing[*]}"
}
