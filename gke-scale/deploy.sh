#!/usr/bin/env bash
# deploy.sh [--dry-run] [--region REGION] N: deploy N instances and N Redis shards of each service on GKE, in a private Autopilot
# cluster.
#
# The script creates only missing resources, so that you can run it again after a failure. A larger N scales a running
# system up without downtime. Each run sets the values of the chart for N, CPU and IMAGE_PREFIX. It sets the values for
# IMAGE_TAG and REPLICAS only if these variables are set. All other values stay as they are, also those that you have
# set with helm. values.yaml is only for the first installation.
#
#   N              1 to 64; never smaller than before, because the data of a shard exists nowhere else
#   --region       or REGION; default us-central1
#   --dry-run      or DRY_RUN=1: run no command; only print the commands for a project where nothing exists
#
# Environment variables:
#   IMAGE_PREFIX   registry and prefix of the image names, e.g. ghcr.io/OWNER/checkout- ; required
#   IMAGE_TAG      default: the IMAGE_TAG of an earlier run or, without one, the appVersion of the chart
#   CPU            processors of each instance and Redis (default 1, also if an earlier run had another number)
#   REPLICAS       3: three Redis nodes and keepers for each shard, spread over zones; default: the current number, or 1 for a new system
#   CLUSTER        default checkout
#   NETWORK        default "default"
#   NAMESPACE      default "default"
#
# The system requests 6 N x CPU processors for the services and Redis, and 3 for the gateway. With REPLICAS=3, it requests 12 N x CPU, and
# 0.05 for each of 9 N keepers. It also needs volumes and a load balancer.
# Check budget and quota first.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=cloud.sh
. "$here/cloud.sh"

parse "$@"
[ ${#rest[@]} = 1 ] || die "usage: deploy.sh [--dry-run] [--region REGION] N, the number of instances and Redis shards of each service"
N=${rest[0]} CPU=${CPU:-1} REPLICAS=${REPLICAS:-}
[[ $N =~ ^([1-9]|[1-5][0-9]|6[0-4])$ ]] || die "N must be a number from 1 to 64, not $N"
[[ $CPU =~ ^[1-9][0-9]?$ ]] || die "CPU must be a number from 1 to 99, not $CPU"
[[ $REPLICAS =~ ^[13]?$ ]] || die "REPLICAS must be 1 or 3, not $REPLICAS"
[ -n "${IMAGE_PREFIX:-}" ] || die "set IMAGE_PREFIX to where the images are, e.g. ghcr.io/OWNER/checkout-"
chart=$here/../k8s/helm/checkout
[ -f "$chart/Chart.yaml" ] || die "no chart at $chart: run this script in a clone of the repository"
require gcloud kubectl helm dig
redis=$((3 * N * ${REPLICAS:-1})) keepers=0
[ "$REPLICAS" != 3 ] || keepers=$redis
echo "$(((1000 * (3 * N + redis) * CPU + 50 * keepers + 999) / 1000 + 3)) processors: $CPU for each of $((3 * N)) instances and $redis Redis, 0.05 for each of $keepers keepers, and 3 for the gateway" >&2
[ -n "$REPLICAS" ] || echo "REPLICAS is not set, so this is for one Redis of each shard. If the shards of the running system have three nodes, set REPLICAS=3" >&2

# 1. A private cluster: its nodes have no external addresses, so that the quota of addresses does not limit the number
#    of nodes. GKE creates the firewall rules itself: control plane to nodes, nodes and pods to each other, health
#    checks of the load balancer to pods.
if ! has_cluster; then
    run gcloud container clusters create-auto "$CLUSTER" --region "$REGION" --network "$NETWORK" \
        --enable-private-nodes --enable-master-authorized-networks
fi

# 2. Cloud NAT with a static address, so that the nodes can pull images. Cloud NAT only serves connections that a node
#    opens, so no firewall rule is needed.
if ! has_address; then
    run gcloud compute addresses create "$ADDRESS" --region "$REGION"
fi
if ! has_router; then
    run gcloud compute routers create "$ROUTER" --network "$NETWORK" --region "$REGION"
fi
if ! has_nat; then
    run gcloud compute routers nats create "$NAT" --router "$ROUTER" --region "$REGION" \
        --nat-external-ip-pool "$ADDRESS" --nat-all-subnet-ip-ranges
fi

# 3. Get access to the control plane.
authorize

# 4. Install the system and check out an order. Autopilot creates nodes on demand, which takes minutes.
values=(--set "machines=$N,shards=$N" --set-string "machine.cpu=$CPU,redis.cpu=$CPU" --set "image.prefix=$IMAGE_PREFIX")
[ -z "$REPLICAS" ] || values+=(--set "redis.replicas=$REPLICAS")
[ -z "${IMAGE_TAG:-}" ] || values+=(--set-string "image.tag=$IMAGE_TAG")
# With -f, values.yaml would override the values that you have set with helm, so use it only for a new release.
has_release || values=(-f "$here/values.yaml" "${values[@]}")
run helm upgrade --install "$RELEASE" "$chart" --namespace "$NAMESPACE" --create-namespace --reset-then-reuse-values \
    "${values[@]}" --wait --timeout 30m
run helm test "$RELEASE" --namespace "$NAMESPACE" --timeout 5m

# 5. Print the address of the load balancer.
run kubectl --namespace "$NAMESPACE" wait gateway/checkout --for=condition=Programmed --timeout=15m
run kubectl --namespace "$NAMESPACE" get gateway checkout -o 'jsonpath=http://{.status.addresses[0].value}/{"\n"}'
