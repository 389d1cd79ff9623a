# shellcheck shell=bash disable=SC2034 # deploy.sh and undeploy.sh use these variables
# Settings and functions that deploy.sh and undeploy.sh share.

CLUSTER=${CLUSTER:-checkout}
NETWORK=${NETWORK:-default}
NAMESPACE=${NAMESPACE:-default}
RELEASE=checkout

die() { echo "${0##*/}: $*" >&2; exit 1; }

# parse ARGUMENT…: set REGION and DRY_RUN, and the names of the resources of the region. The array "rest" gets the
# arguments that are neither --region nor --dry-run.
parse() {
    rest=()
    while [ $# != 0 ]; do
        case $1 in
        --region) [ $# -ge 2 ] || die "--region needs a value"; REGION=$2; shift ;;
        --region=*) REGION=${1#*=} ;;
        --dry-run) DRY_RUN=1 ;;
        *) rest+=("$1") ;;
        esac
        shift
    done
    REGION=${REGION:-us-central1} DRY_RUN=${DRY_RUN:-0}
    [[ $REGION =~ ^[a-z]+(-[a-z]+)+[0-9]+$ ]] || die "the region must be a name such as us-central1, not '$REGION'"
    NAT=nat-gw-$REGION ROUTER=rtr-$REGION ADDRESS=$REGION-nat-ip
}

# run CMD…: print the command, and run it unless this is a dry run.
run() {
    { printf '+' && printf ' %q' "$@" && echo; } >&2
    [ "$DRY_RUN" = 1 ] || "$@"
}

# exists NAME LIST_CMD…: run LIST_CMD, and return true if a line of its output is NAME. In a dry run, return false
# without LIST_CMD. If LIST_CMD fails, exit, because then it is unknown whether the resource exists.
exists() {
    [ "$DRY_RUN" != 1 ] || return 1
    local name=$1 names
    shift
    names=$("$@") || die "failed: $*"
    grep -qx -- "$name" <<<"$names"
}

has_cluster() { exists "$CLUSTER" gcloud container clusters list --region "$REGION" --format 'value(name)'; }
has_address() { exists "$ADDRESS" gcloud compute addresses list --regions "$REGION" --format 'value(name)'; }
has_router() { exists "$ROUTER" gcloud compute routers list --regions "$REGION" --format 'value(name)'; }
has_nat() { exists "$NAT" gcloud compute routers nats list --router "$ROUTER" --region "$REGION" --format 'value(name)'; }

has_release() { exists "$RELEASE" helm list --namespace "$NAMESPACE" --all --short; } # also a pending release

# require PROGRAM…: exit if a program is not installed.
require() {
    [ "$DRY_RUN" != 1 ] || return 0
    local program missing=()
    for program; do command -v "$program" >/dev/null || missing+=("$program"); done
    [ ${#missing[@]} = 0 ] || die "not installed: ${missing[*]}"
}

# authorize: add the address of this shell to the authorized networks of the control plane, and get the credentials for kubectl and helm.
authorize() {
    local ip=203.0.113.1 known=
    if [ "$DRY_RUN" != 1 ]; then
        ip=$(dig +short myip.opendns.com @resolver1.opendns.com)
        [[ $ip =~ ^[0-9]+(\.[0-9]+){3}$ ]] || die "looking up the address of this shell failed: got '$ip'"
        known=$(gcloud container clusters describe "$CLUSTER" --region "$REGION" \
            --format 'value[delimiter=","](masterAuthorizedNetworksConfig.cidrBlocks[].cidrBlock)')
    fi
    case ,$known, in
    *",$ip/32,"*) ;;
    *)
        run gcloud container clusters update "$CLUSTER" --region "$REGION" \
            --enable-master-authorized-networks --master-authorized-networks "${known:+$known,}$ip/32"
        ;;
    esac
    run gcloud container clusters get-credentials "$CLUSTER" --region "$REGION"
}
