package main

import (
	"fmt"
	"strings"
	"testing"
)

// claimOfRedis formats a list with one volume claim of a Redis. The arguments are the name of the claim and the
// release.
const claimOfRedis = `{apiVersion: v1, kind: PersistentVolumeClaimList, items: [{
	apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: %s, labels: {app.kubernetes.io/instance: %s}},
	spec: {storageClassName: fast, resources: {requests: {storage: 20Gi}}}}]}`

// TestKeptVolumes checks which values the chart refuses because of volumes that an earlier installation has left.
func TestKeptVolumes(t *testing.T) {
	claim := func(name, release string) map[string]string {
		return map[string]string{"persistentvolumeclaims": fmt.Sprintf(claimOfRedis, name, release)}
	}
	kept, foreign := claim("data-stock-redis-1", "checkout"), claim("data-stock-redis-1", "old")
	node := claim("data-stock-redis-2-1", "checkout")
	external := map[string]string{
		"persistentvolumeclaims": kept["persistentvolumeclaims"],
		"deployments/order-1":    strings.Replace(instanceSet, "order-redis-0", "a.example", 1),
	}
	live := map[string]string{
		"persistentvolumeclaims":   kept["persistentvolumeclaims"],
		"statefulsets/stock-redis": strings.Replace(redisSet, "order", "stock", 1),
	}
	for _, c := range []struct {
		values  string
		objects map[string]string
		want    string // part of the error; empty: no error
	}{
		{"{shards: 2}", kept, ""}, // the volume may be larger; without storage.class, any class is accepted
		{"{shards: 2, redis: {storage: {size: 20Gi, class: fast}}}", kept, ""},
		{"{shards: 2, redis: {storage: {size: 21Gi}}}", kept, "data-stock-redis-1 of an earlier installation requests 20Gi"},
		{"{shards: 2, redis: {storage: {class: slow}}}", kept, "set redis.storage.class to fast"},
		{externalValues, kept, "the external servers do not have it"},
		{externalValues, external, ""}, // the live instances already use the external servers
		{"{shards: 2, redis: {storage: {size: 21Gi}}}", live, `follow "Resize the volumes" in docs/operations.md`},
		{"{shards: 3, redis: {replicas: 3, storage: {size: 30Gi}}}", node, "requests 20Gi, which is less"},
		{"{shards: 2}", foreign,
			"contains the data of the release old (claim data-stock-redis-1): install the chart as old"},
		{"{}", claim("data-shop-redis-0", "old"), ""},
	} {
		err := upgrade(t, c.values, c.objects)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("render with %s: got error %v, want %q in it (empty: no error)", c.values, err, c.want)
		}
	}
}
