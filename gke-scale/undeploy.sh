#!/usr/bin/env bash
# undeploy.sh [--dry-run] [--region REGION] [--data] [--cluster]: delete what deploy.sh has created. deploy.sh explains the variables CLUSTER,
# NETWORK and NAMESPACE. You can run the script again after a failure.
#
#   (no option)   delete the system; keep the volumes, so that deploy.sh can use them again
#   --data        also delete the volumes, with all orders, items and users; if a volume has the reclaim policy Retain, print how to delete
#                 its disk
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
require gcloud kubectl helm dig

# delete HAS CMD…: run CMD if the function HAS, such as has_nat, finds the resource. In a dry run, print CMD in any case.
delete() {
    if [ "$DRY_RUN" = 1 ] || "$1"; then run "${@:2}"; fi
}

# volumes POLICY: list the volumes of the system that have the reclaim policy POLICY, including volumes with a deleted
# claim. Each line has the name and the disk of a volume.
volumes() {
    kubectl get persistentvolume -o 'jsonpath={range .items[*]}{.spec.claimRef.namespace}/{.spec.claimRef.name} {.spec.persistentVolumeReclaimPolicy} {.metadata.name} {.spec.csi.volumeHandle}{"\n"}{end}' |
        awk -v policy="$1" -v "claim=^$NAMESPACE/data-(order|stock|payment)-redis-[0-9]" '$1 ~ claim && $2 == policy {print $3, $4}'
}

# print_disks: read the output of volumes, and print for each disk the command that deletes it. A disk is
# projects/PROJECT/zones/ZONE/disks/NAME or projects/PROJECT/regions/REGION/disks/NAME.
print_disks() {
    while read -r volume disk; do
        IFS=/ read -r _ project kind place _ name <<<"$disk"
        if [ -n "$name" ]; then
            echo "  gcloud compute disks delete $name --project $project --${kind%s} $place"
        else
            echo "  (delete the disk of the volume $volume by hand)"
        fi
    done
}

if [ "$DRY_RUN" = 1 ] || has_cluster; then
    authorize
    run helm uninstall "$RELEASE" --namespace "$NAMESPACE" --ignore-not-found --wait
    if [ $data = 1 ]; then
        run kubectl --namespace "$NAMESPACE" delete persistentvolumeclaim -l "app.kubernetes.io/instance=$RELEASE"
        deleting=VOLUME retained=
        if [ "$DRY_RUN" != 1 ]; then
            deleting=$(volumes Delete)
            deleting=$(cut -d ' ' -f 1 <<<"$deleting")
            retained=$(volumes Retain)
        fi
        if [ -n "$retained" ]; then
            echo "These volumes have the reclaim policy Retain, so their disks remain. To delete the disks:" >&2
            print_disks <<<"$retained" >&2
        fi
        # GKE deletes a disk some time after the claim, and only while the cluster exists.
        # shellcheck disable=SC2086 # one word for each volume
        [ -z "$deleting" ] || run kubectl wait --for=delete persistentvolume $deleting --timeout=10m ||
            die "volumes still exist, with their disks; run this script again: $(volumes Delete)"
    fi
fi
if [ $cluster = 1 ]; then
    delete has_cluster gcloud container clusters delete "$CLUSTER" --region "$REGION" --quiet
    # After a failure, the router may exist without the NAT. Only deploy.sh creates a router with this name, so the
    # script may delete the router.
    if [ "$DRY_RUN" = 1 ] || has_router; then
        delete has_nat gcloud compute routers nats delete "$NAT" --router "$ROUTER" --region "$REGION" --quiet
        run gcloud compute routers delete "$ROUTER" --region "$REGION" --quiet
    fi
    delete has_address gcloud compute addresses delete "$ADDRESS" --region "$REGION" --quiet
fi
