#!/usr/bin/env bash
# undeploy.sh [--data] [--cluster]: takes away what deploy.sh has made. REGION, CLUSTER, NETWORK, NAMESPACE and DRY_RUN as there.
#
#   (nothing)   the system; its volumes stay, and deploy.sh finds them again
#   --data      the volumes too: everything that was ever bought
#   --cluster   the cluster, its way out and its firewall rule too; only together with --data, since the volumes would go with it
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=cloud.sh
. "$here/cloud.sh"

data=0 cluster=0
for option; do
    case $option in
    --data) data=1 ;;
    --cluster) cluster=1 ;;
    *) die "$option is neither --data nor --cluster" ;;
    esac
done
[ $cluster = 0 ] || [ $data = 1 ] || die "--cluster takes the volumes away: say --data as well"
needs gcloud kubectl helm

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
