package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
)

const replicated = "{shards: 2, redis: {replicas: 3}}"

// TestReplicatedShards checks the pods of replicated shards. Redis is a sidecar, so it stops after the keeper. The
// keeper's state file is on the volume of the data. Each node starts frozen.
func TestReplicatedShards(t *testing.T) {
	s := load(t, parse(t, replicated))
	s.check(t)
	sets := of[*apps.StatefulSet](s, "StatefulSet")
	if len(sets) != 6 {
		t.Fatalf("got the StatefulSets %v, want one for each shard", slices.Sorted(maps.Keys(sets)))
	}
	for name, set := range sets {
		pod := set.Spec.Template.Spec
		redis, keeper := pod.InitContainers[0], pod.Containers[0]
		if *set.Spec.Replicas != 3 || redis.Name != "redis" || keeper.Name != "keeper" ||
			redis.RestartPolicy == nil || *redis.RestartPolicy != core.ContainerRestartPolicyAlways {
			t.Errorf("%s: got %d pods with init container %s and container %s, want 3 with redis (restarts: Always) and keeper",
				name, *set.Spec.Replicas, redis.Name, keeper.Name)
		}
		if n := len(redis.Args); !slices.Equal(redis.Args[n-2:], []string{"--replicaof", "127.0.0.1 1"}) ||
			!slices.Contains(redis.Args, "--masterauth") {
			t.Errorf("%s: Redis has the arguments %v, want --masterauth, and last --replicaof 127.0.0.1 1", name, redis.Args)
		}
		shard := strings.Replace(name, "-redis", "", 1)
		service, _, _ := strings.Cut(shard, "-")
		nodes := func(port int) string { return fmt.Sprintf("%s-0:%d+%[1]s-1:%[2]d+%[1]s-2:%[2]d", name, port) }
		if addrs := environment(s.instances()[service])["REDIS_ADDRS"]; !strings.Contains(addrs, nodes(6379)) {
			t.Errorf("%s: REDIS_ADDRS %s does not contain the nodes of %s", service, addrs, name)
		}
		env := environment(core.PodTemplateSpec{Spec: core.PodSpec{Containers: pod.Containers}})
		for variable, want := range map[string]string{
			"SHARD": shard, "NODES": nodes(6379), "KEEPERS": nodes(7000), "REDIS_ADDR": "127.0.0.1:6379",
			"REDIS_PASSWORD": "password of redis-password", "KEEPER_TOKEN": "token of keeper-token",
			"STATE_FILE": "/data/keeper.json",
		} {
			if env[variable] != want {
				t.Errorf("%s: %s is %q, want %q", name, variable, env[variable], want)
			}
		}
		if !reflect.DeepEqual(keeper.VolumeMounts, redis.VolumeMounts[:1]) || keeper.VolumeMounts[0].MountPath != "/data" {
			t.Errorf("%s: the keeper mounts %v, want the data of its Redis", name, keeper.VolumeMounts)
		}
		if live, ready := keeper.LivenessProbe.HTTPGet, keeper.ReadinessProbe.HTTPGet; live.Path != "/healthz" ||
			ready.Path != "/readyz" || ready.Port.String() != keeper.Ports[0].Name {
			t.Errorf("%s: got the probes %v and %v of the keeper, want /healthz, and /readyz on its first port",
				name, live, ready)
		}
		headless := of[*core.Service](s, "Service")[set.Spec.ServiceName]
		if headless == nil || headless.Spec.ClusterIP != "None" || !headless.Spec.PublishNotReadyAddresses ||
			!maps.Equal(headless.Spec.Selector, set.Spec.Selector.MatchLabels) {
			t.Errorf("%s: got the headless Service %+v, want one for all pods, also those that are not ready", name, headless)
		}
	}
}

// TestBootstrap checks the Jobs that initialize each shard once. When shards are added, the Jobs of the existing shards
// must not run again.
func TestBootstrap(t *testing.T) {
	s := load(t, parse(t, replicated))
	templates, _ := s.pods()
	for name := range of[*apps.StatefulSet](s, "StatefulSet") {
		template := templates[name+"-init"]
		if len(template.Spec.Containers) != 1 {
			t.Errorf("%s: no Job initializes the shard", name)
			continue
		}
		env := environment(template)
		if c := template.Spec.Containers[0]; env["NODE"] != "0" || !slices.Equal(c.Args, []string{"init", "--if-needed"}) ||
			env["SHARD"] != strings.Replace(name, "-redis", "", 1) {
			t.Errorf("%s: the Job runs keeper %v with %v, want init --if-needed for node 0 of the shard", name, c.Args, env)
		}
	}
	grown := of[*batch.Job](load(t, parse(t, strings.Replace(replicated, "2", "3", 1))), "Job")
	for name := range of[*batch.Job](s, "Job") {
		if grown[name] == nil {
			t.Errorf("another shard replaces the Job %s, want it unchanged", name)
		}
	}
}

// TestKeeperToken checks where the token of the keepers comes from.
func TestKeeperToken(t *testing.T) {
	for values, want := range map[string]string{
		"redis: {replicas: 3}":              "token of keeper-token",
		"redis: {replicas: 3, password: a}": "token of keeper-token",
		"redis: {replicas: 3, existingSecret: mine, keeper: {tokenSecret: mine}}": "token of mine",
	} {
		templates, _ := load(t, parse(t, values)).pods()
		_, generated := templates["keeper-token"]
		if got := environment(templates["order-redis-0-init"])["KEEPER_TOKEN"]; got != want ||
			generated != strings.HasSuffix(want, "keeper-token") {
			t.Errorf("%s: KEEPER_TOKEN is the %s, a Job generates it: %v; want the %s, and a Job only for keeper-token",
				values, got, generated, want)
		}
	}
	if templates, _ := load(t, nil).pods(); len(templates["keeper-token"].Spec.Containers) > 0 {
		t.Error("a Job generates the token of keepers by default, want none for single shards")
	}
}

// TestReplicasOfLiveShards checks that, with existing data, the chart refuses a different number of nodes per shard and
// a smaller number of shards. With replicated shards, it must also refuse another server program or volume size.
func TestReplicasOfLiveShards(t *testing.T) {
	claims := func(names ...string) map[string]string {
		objects := map[string]string{}
		var items []string
		for _, name := range names {
			claim := "metadata: {name: " + name + ", labels: {app.kubernetes.io/instance: checkout}}}"
			objects["persistentvolumeclaims/"+name] = "{apiVersion: v1, kind: PersistentVolumeClaim, " + claim
			items = append(items, "{"+claim)
		}
		objects["persistentvolumeclaims"] = "{apiVersion: v1, kind: PersistentVolumeClaimList, items: [" +
			strings.Join(items, ", ") + "]}"
		return objects
	}
	single := map[string]string{"statefulsets/order-redis": redisSet}
	set := map[string]string{
		"statefulsets/order-redis-0": strings.Replace(redisSet, "name: order-redis", "name: order-redis-0", 1),
	}
	const size = "storage: {size: 20Gi, class: fast}"
	for _, c := range []struct {
		values  string
		objects map[string]string
		want    string // part of the error; empty: no error
	}{
		{"redis: {replicas: 3}", claims("data-order-redis-0"), "order has single shards. Run k8s/replicate first"},
		{"redis: {replicas: 3, " + size + "}", single, "Run k8s/replicate first"},
		{"redis: {replicas: 3}", claims("data-order-redis-0-0"), ""},
		{"redis: {replicas: 1}", claims("data-order-redis-0-0"), "the shards of order have three nodes"},
		{"redis: {" + size + "}", set, "set redis.replicas to 3"},
		{"redis: {replicas: 3, " + size + "}", set, ""},
		{"redis: {replicas: 3, flavour: valkey, " + size + "}", set, "order-redis-0 runs redis, and valkey cannot"},
		{"redis: {replicas: 3}", set, "order-redis-0 has volumes of 20Gi"},
		{"redis: {replicas: 3}", map[string]string{"deployments/order-1": strings.Replace(instanceSet, "order-redis-0:6379",
			"order-redis-0-0:6379+order-redis-0-1:6379+order-redis-0-2:6379", 1)}, ""},
		{replicated, claims("data-order-redis-0-0", "data-order-redis-1-2"), ""},
		{replicated, claims("data-order-redis-2-1"), "order has 3 shards: cannot reduce them to 2"},
	} {
		err := upgrade(t, c.values, c.objects)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("upgrade with %s in a cluster with %v: got error %v, want %q in it (\"\": no error)",
				c.values, c.objects, err, c.want)
		}
	}
}
