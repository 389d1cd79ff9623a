#!/usr/bin/env bash
# undeploy.sh [--dry-run] [--region REGION] [--data] [--cluster]: delete what deploy.sh has created. deploy.sh explains the variables CLUSTER,
# NETWORK and NAMESPACE. You can run the script again after a failure.
#
#   (no option)   delete the system; keep the volumes, so that deploy.sh can use them again
#   --data        also delete the volumes, with all orders, items and users
#   --cluster     also delete the cluster and Cloud NAT; requires --data, because the volumes are deleted with the cluster
#   --dry-run     run no command; only print the commands for a project where everything exists
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=cloud.sh
. "$here/cloud.sh"

parse "$@"
data=0 cluster=0
for option in ${rest[@]+"${rest[@]}"}; do
    case $option in
    --data) data=1 ;;
    --cluster) cluster=1 ;;
    *) die "unknown option $option: want --data, --cluster, --region or --dry-run" ;;
    esac
done
[ $cluster = 0 ] || [ $data = 1 ] || die "--cluster deletes the volumes too: add --data to confirm"
require gcloud kubectl helm

# delete HAS CMD…: run CMD if the function HAS, such as has_nat, finds the resource. In a dry run, print CMD in any case.
delete() {
    if [ "$DRY_RUN" = 1 ] || "$1"; then run "${@:2}"; fi
}

if [ "$DRY_RUN" = 1 ] || has_cluster; then
    run gcloud container clusters get-credentials "$CLUSTER" --region "$REGION"
    run helm uninstall "$RELEASE" --namespace "$NAMESPACE" --ignore-not-found --wait
    if [ $data = 1 ]; then
        run kubectl --namespace "$NAMESPACE" delete persistentvolumeclaim -l "app.kubernetes.io/instance=$RELEASE"
    fi
fi
if [ $cluster = 1 ]; then
    delete has_cluster gcloud container clusters delete "$CLUSTER" --region "$REGION" --quiet
    # After a failure, the router may exist without the NAT. Only deploy.sh creates a router with this name, so nobody else uses it.
    if [ "$DRY_RUN" = 1 ] || has_router; then
        delete has_nat gcloud compute routers nats delete "$NAT" --router "$ROUTER" --region "$REGION" --quiet
        run gcloud compute routers delete "$ROUTER" --region "$REGION" --quiet
    fi
    delete has_address gcloud compute addresses delete "$ADDRESS" --region "$REGION" --quiet
fi
