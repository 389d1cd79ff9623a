#!/usr/bin/env bash
# deploy.sh N: N machines and N Redis of each service on GKE, in a private Autopilot cluster. What is there already stays; a larger N
# grows a system that runs, and loses nothing. Run it again after anything has failed.
#
#   N              1 to 64; never less than before: a shard holds data that is nowhere else
#   CPU            1: processors of each machine and Redis. 2 lets them run in true parallel
#   REGION         us-central1
#   CLUSTER        checkout
#   NETWORK        default
#   NAMESPACE      default
#   IMAGE_PREFIX   as in values.yaml: registry and beginning of the images' names
#   IMAGE_TAG      as in values.yaml
#   DRY_RUN        1: print every command, run none
#
# It costs (6 N + 3) processors, and the volumes and the load balancer beside: look at budget and quota first.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=cloud.sh
. "$here/cloud.sh"

[ $# = 1 ] || die "how many machines and Redis of each service? deploy.sh N"
N=$1 CPU=${CPU:-1}
[[ $N =~ ^([1-9]|[1-5][0-9]|6[0-4])$ ]] || die "N must be a number from 1 to 64, not $N"
[[ $CPU =~ ^[1-9][0-9]?$ ]] || die "CPU must be a number from 1 to 99, not $CPU"
chart=$here/../k8s/helm/checkout
[ -f "$chart/Chart.yaml" ] || die "run this in a clone of the repository: the chart is not at $chart"
needs gcloud kubectl helm dig

# 1. A private cluster: nodes without external addresses, of which there would not be enough.
if ! there gcloud container clusters describe "$CLUSTER" --region "$REGION"; then
    run gcloud container clusters create-auto "$CLUSTER" --region "$REGION" --network "$NETWORK" \
        --enable-private-nodes --enable-master-authorized-networks
fi

# 2. A way out for them, to pull images: Cloud NAT with an address of its own.
if ! there gcloud compute addresses describe "$ADDRESS" --region "$REGION"; then
    run gcloud compute addresses create "$ADDRESS" --region "$REGION"
fi
if ! there gcloud compute routers describe "$ROUTER" --region "$REGION"; then
    run gcloud compute routers create "$ROUTER" --network "$NETWORK" --region "$REGION"
fi
if ! there gcloud compute routers nats describe "$NAT" --router "$ROUTER" --router-region "$REGION"; then
    run gcloud compute routers nats create "$NAT" --router "$ROUTER" --router-region "$REGION" \
        --nat-external-ip-pool "$ADDRESS" --nat-all-subnet-ip-ranges
fi

# 3. Pods, nodes and the control plane reach each other.
if ! there gcloud compute firewall-rules describe "$FIREWALL"; then
    run gcloud compute firewall-rules create "$FIREWALL" --network "$NETWORK" --direction INGRESS \
        --allow tcp,udp,icmp --source-ranges 10.0.0.0/8,172.16.2.0/28
fi

# 4. The control plane lets in only networks that it knows: this shell's address joins those that are there.
ip=203.0.113.1 known=
if [ "${DRY_RUN:-0}" != 1 ]; then
    ip=$(dig +short myip.opendns.com @resolver1.opendns.com)
    [[ $ip =~ ^[0-9]+(\.[0-9]+){3}$ ]] || die "could not find out this shell's address: $ip"
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

# 5. The system, and an order by it. Autopilot makes nodes as pods ask for them, which takes minutes.
values=(--set "machines=$N,shards=$N" --set-string "machine.cpu=$CPU,redis.cpu=$CPU")
[ -z "${IMAGE_PREFIX:-}" ] || values+=(--set "image.prefix=$IMAGE_PREFIX")
[ -z "${IMAGE_TAG:-}" ] || values+=(--set-string "image.tag=$IMAGE_TAG")
run helm upgrade --install "$RELEASE" "$chart" --namespace "$NAMESPACE" --create-namespace -f "$here/values.yaml" "${values[@]}" \
    --wait --timeout 30m
run helm test "$RELEASE" --namespace "$NAMESPACE" --timeout 5m

# 6. The address.
run kubectl --namespace "$NAMESPACE" wait gateway/checkout --for=condition=Programmed --timeout=15m
run kubectl --namespace "$NAMESPACE" get gateway checkout -o 'jsonpath=http://{.status.addresses[0].value}/{"\n"}'
