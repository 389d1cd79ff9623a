# shellcheck shell=bash disable=SC2034 # used where it is read into
# What deploy.sh and undeploy.sh share: where everything is, and how a command is run.

REGION=${REGION:-us-central1}
CLUSTER=${CLUSTER:-checkout}
NETWORK=${NETWORK:-default}
NAMESPACE=${NAMESPACE:-default}
RELEASE=checkout
NAT=nat-gw-$REGION ROUTER=rtr-$REGION ADDRESS=$REGION-nat-ip
FIREWALL=all-pods-and-master-ipv4-cidrs

die() { echo "${0##*/}: $*" >&2; exit 1; }

# run CMD…: says what it runs, and runs it unless this is a rehearsal (DRY_RUN=1).
run() {
    { printf '+' && printf ' %q' "$@" && echo; } >&2
    [ "${DRY_RUN:-0}" = 1 ] || "$@"
}

# there CMD…: whether what is described is there. A rehearsal takes it for absent, and asks nobody.
there() { [ "${DRY_RUN:-0}" != 1 ] && "$@" >/dev/null 2>&1; }

needs() {
    [ "${DRY_RUN:-0}" = 1 ] && return
    local program missing=()
    for program; do command -v "$program" >/dev/null || missing+=("$program"); done
    [ ${#missing[@]} = 0 ] || die "missing: ${missing[*]}"
}
