#!/usr/bin/env bash
# deploy.sh N: deploy N instances and N Redis shards of each service on GKE, in a private Autopilot cluster.
#
# The script creates only what is missing, so that you can run it again after a failure. A larger N scales a running system up
# without downtime.
#
#   N              1 to 64. Never smaller than before, because the data of a shard exists nowhere else.
#   CPU            processors of each instance and Redis (default 1)
#   REGION         default us-central1
#   CLUSTER        default checkout
#   NETWORK        default "default"
#   NAMESPACE      default "default"
#   IMAGE_PREFIX   registry and prefix of the image names (default: as in values.yaml)
#   IMAGE_TAG      default: as in values.yaml
#   DRY_RUN        1: print every command, run none
#
# The system uses (6 N + 3) x CPU processors, volumes and a load balancer: check budget and quota first.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=cloud.sh
. "$here/cloud.sh"

[ $# = 1 ] || die "usage: deploy.sh N, the number of instances and Redis shards of each service"
N=$1 CPU=${CPU:-1}
[[ $N =~ ^([1-9]|[1-5][0-9]|6[0-4])$ ]] || die "N must be a number from 1 to 64, not $N"
[[ $CPU =~ ^[1-9][0-9]?$ ]] || die "CPU must be a number from 1 to 99, not $CPU"
chart=$here/../k8s/helm/checkout
[ -f "$chart/Chart.yaml" ] || die "no chart at $chart: run this script in a clone of the repository"
require gcloud kubectl helm dig

# 1. A private cluster: its nodes have no external addresses, so that the quota of addresses does not limit them.
if ! exists gcloud container clusters describe "$CLUSTER" --region "$REGION"; then
    run gcloud container clusters create-auto "$CLUSTER" --region "$REGION" --network "$NETWORK" \
        --enable-private-nodes --enable-master-authorized-networks
fi

# 2. Cloud NAT with a static address, so that the nodes can pull images.
if ! exists gcloud compute addresses describe "$ADDRESS" --region "$REGION"; then
    run gcloud compute addresses create "$ADDRESS" --region "$REGION"
fi
if ! exists gcloud compute routers describe "$ROUTER" --region "$REGION"; then
    run gcloud compute routers create "$ROUTER" --network "$NETWORK" --region "$REGION"
fi
if ! exists gcloud compute routers nats describe "$NAT" --router "$ROUTER" --router-region "$REGION"; then
    run gcloud compute routers nats create "$NAT" --router "$ROUTER" --router-region "$REGION" \
        --nat-external-ip-pool "$ADDRESS" --nat-all-subnet-ip-ranges
fi

# 3. A firewall rule that lets pods, nodes and the control plane connect to each other.
if ! exists gcloud compute firewall-rules describe "$FIREWALL"; then
    run gcloud compute firewall-rules create "$FIREWALL" --network "$NETWORK" --direction INGRESS \
        --allow tcp,udp,icmp --source-ranges 10.0.0.0/8,172.16.2.0/28
fi

# 4. Add the address of this shell to the authorised networks of the control plane.
ip=203.0.113.1 known=
if [ "${DRY_RUN:-0}" != 1 ]; then
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

# 5. Install the system and check out an order. Autopilot creates nodes on demand, which takes minutes.
values=(--set "machines=$N,shards=$N" --set-string "machine.cpu=$CPU,redis.cpu=$CPU")
[ -z "${IMAGE_PREFIX:-}" ] || values+=(--set "image.prefix=$IMAGE_PREFIX")
[ -z "${IMAGE_TAG:-}" ] || values+=(--set-string "image.tag=$IMAGE_TAG")
run helm upgrade --install "$RELEASE" "$chart" --namespace "$NAMESPACE" --create-namespace -f "$here/values.yaml" "${values[@]}" \
    --wait --timeout 30m
run helm test "$RELEASE" --namespace "$NAMESPACE" --timeout 5m

# 6. Print the address of the load balancer.
run kubectl --namespace "$NAMESPACE" wait gateway/checkout --for=condition=Programmed --timeout=15m
run kubectl --namespace "$NAMESPACE" get gateway checkout -o 'jsonpath=http://{.status.addresses[0].value}/{"\n"}'
