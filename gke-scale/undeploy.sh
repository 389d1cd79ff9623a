#!/usr/bin/env bash
# undeploy.sh [--data] [--cluster]: delete what deploy.sh created. REGION, CLUSTER, NETWORK, NAMESPACE and DRY_RUN: see deploy.sh.
#
#   (no option)   delete the system; keep the volumes, so that deploy.sh can use them again
#   --data        also delete the volumes, with all orders, items and users
#   --cluster     also delete the cluster, Cloud NAT and the firewall rule; requires --data, because the volumes go with the cluster
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=cloud.sh
. "$here/cloud.sh"

data=0 cluster=0
for option; do
    case $option in
    --data) data=1 ;;
    --cluster) cluster=1 ;;
    *) die "unknown option $option: want --data or --cluster" ;;
    esac
done
[ $cluster = 0 ] || [ $data = 1 ] || die "--cluster deletes the volumes too: add --data to confirm"
require gcloud kubectl helm

run gcloud container clusters get-credentials "$CLUSTER" --region "$REGION"
run helm uninstall "$RELEASE" --namespace "$NAMESPACE" --ignore-not-found --wait
if [ $data = 1 ]; then
    run kubectl --namespace "$NAMESPACE" delete persistentvolumeclaim -l "app.kubernetes.io/instance=$RELEASE"
fi
if [ $cluster = 1 ]; then
    run gcloud container clusters delete "$CLUSTER" --region "$REGION" --quiet
    run gcloud compute firewall-rules delete "$FIREWALL" --quiet
    run gcloud compute routers nats delete "$NAT" --router "$ROUTER" --router-region "$REGION" --quiet
    run gcloud compute routers delete "$ROUTER" --region "$REGION" --quiet
    run gcloud compute addresses delete "$ADDRESS" --region "$REGION" --quiet
fi
