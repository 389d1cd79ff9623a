package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// TestRenderingIsRepeatable checks that the output depends neither on random numbers nor on the time.
func TestRenderingIsRepeatable(t *testing.T) {
	all := []map[string]any{parse(t, replicated)}
	for _, file := range valuesFiles {
		all = append(all, read(t, file))
	}
	for _, values := range all {
		first, err := render(root, values)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if again, err := render(root, values); err != nil || !maps.Equal(first, again) {
				t.Errorf("render with %v again: got error %v, want no error and the same output", values, err)
			}
		}
	}
}

// TestPassword checks where the password comes from. A Job in the cluster generates the password, unless the values
// contain a password or name a Secret.
func TestPassword(t *testing.T) {
	s := load(t, nil)
	jobs, roles := of[*batch.Job](s, "Job"), of[*rbac.Role](s, "Role")
	if len(jobs) != 1 || len(s.objects["Secret"]) != 0 {
		t.Fatalf("got %d Jobs and the Secrets %v, want one Job and no Secret", len(jobs), s.objects["Secret"])
	}
	for _, job := range jobs {
		account := job.Spec.Template.Spec.ServiceAccountName
		binding := of[*rbac.RoleBinding](s, "RoleBinding")[passwordJob]
		if of[*core.ServiceAccount](s, "ServiceAccount")[account] == nil || binding.Subjects[0].Name != account ||
			binding.RoleRef.Name != passwordJob {
			t.Errorf("the Job has the account %q, and the RoleBinding is %v; want this account bound to the Job's role",
				account, binding)
		}
		if rules := roles[passwordJob].Rules; len(rules) != 1 || !slices.Equal(rules[0].Verbs, []string{"create"}) ||
			!slices.Equal(rules[0].Resources, []string{"secrets"}) {
			t.Errorf("the Job may %v, want only to create Secrets", rules)
		}
		_, text, _ := strings.Cut(job.Spec.Template.Spec.Containers[0].Args[0], "<<SECRET\n")
		text, _, _ = strings.Cut(text, "\nSECRET\n")
		var secret core.Secret
		err := yaml.Unmarshal([]byte(text), &secret)
		if err != nil || secret.StringData["password"] != "$password" || unpruned(secret.Annotations) != nil {
			t.Errorf("the Job creates the Secret %+v (%v), want one that Argo CD does not delete", secret, err)
		}
	}
	// A Job with other contents must have another name, because Kubernetes rejects changes of an existing Job.
	for name := range jobs {
		if other := of[*batch.Job](load(t, parse(t, "image: {tag: other}")), "Job"); other[name] != nil {
			t.Errorf("the Job has the name %s with two different images, want two names", name)
		}
	}

	s = load(t, parse(t, "redis: {password: given}"))
	secret := of[*core.Secret](s, "Secret")["redis-password"]
	if secret == nil || string(secret.Data["password"]) != "given" || len(s.objects["Job"]) != 0 {
		t.Errorf("given password: got the Secret %v and the Jobs %v, want this password and no Job", secret, s.objects["Job"])
	}
	s = load(t, parse(t, "redis: {existingSecret: mine, existingSecretKey: redis}"))
	if s.objects["Secret"] != nil || s.objects["Job"] != nil {
		t.Errorf("given Secret: got the Secrets %v and the Jobs %v, want none", s.objects["Secret"], s.objects["Job"])
	}
	if got := environment(s.instances()["order"])["REDIS_PASSWORD"]; got != "redis of mine" {
		t.Errorf("given Secret: REDIS_PASSWORD is %s, want the key redis of the Secret mine", got)
	}
	s.check(t)
}

// TestUpgradeKeepsThePassword checks that an upgrade keeps the Secret that an older chart contained. Helm would
// delete this Secret if the output of the new chart did not contain it.
func TestUpgradeKeepsThePassword(t *testing.T) {
	for owner, want := range map[string]string{
		", annotations: {meta.helm.sh/release-name: checkout}": "old", // owned by Helm
		"": "", // created by the Job
	} {
		rendered, err := renderLive(t, "{}", map[string]string{"secrets/redis-password": fmt.Sprintf(
			"{apiVersion: v1, kind: Secret, metadata: {name: redis-password%s}, data: {password: b2xk}}", owner)})
		if err != nil {
			t.Fatal(err)
		}
		output := rendered["checkout/templates/secret.yaml"]
		job := strings.Contains(output, "kind: Job")
		switch {
		case want == "" && (!job || strings.Contains(output, "kind: Secret")):
			t.Errorf("the Job's Secret exists: got %s, want the Job and no Secret", output)
		case want != "":
			var got core.Secret
			if err := yaml.UnmarshalStrict([]byte(output), &got); err != nil || job || got.Kind != "Secret" ||
				string(got.Data["password"]) != want || got.Annotations["helm.sh/resource-policy"] != "keep" {
				t.Errorf("an older chart's Secret exists: got error %v, output %s; want password old, policy keep, no Job",
					err, output)
			}
		}
	}
}

// TestShardsAreNeverRemoved checks that the chart refuses fewer shards than the cluster has. A shard counts if it runs,
// or if only its volume exists.
func TestShardsAreNeverRemoved(t *testing.T) {
	set := map[string]string{"statefulsets/stock-redis": strings.ReplaceAll(
		strings.Replace(redisSet, "replicas: 1", "replicas: 3", 1), "order-redis", "stock-redis")}
	claim := func(name string) map[string]string {
		return map[string]string{"persistentvolumeclaims": fmt.Sprintf(
			"{apiVersion: v1, kind: PersistentVolumeClaimList, items: [{metadata: {name: %s}}]}", name)}
	}
	const same = ", redis: {storage: {size: 20Gi, class: fast}}}"
	for _, c := range []struct {
		objects map[string]string
		values  string
		refused string // part of the error; empty: no error
	}{
		{nil, "{shards: 1", ""},
		{set, "{shards: 3", ""},
		{set, "{shards: 2", "stock has 3 shards: cannot reduce them to 2"},
		{set, "{shards: 3, stock: {shards: 1}", "cannot reduce them to 1"},
		{claim("data-stock-redis-10"), "{shards: 10", "stock has 11 shards: cannot reduce them to 10"},
		{claim("data-stock-redis-10"), "{shards: 10", "PersistentVolumeClaims data-stock-redis-10"},
		{claim("data-stock-redis-10"), "{shards: 11", ""},
		{claim("data-stock-redis-10"), "{shards: 1, stock: {shards: 11}", ""},
		{claim("data-stock-redis-copy"), "{shards: 1", ""},
		{claim("x-data-stock-redis-5"), "{shards: 1", ""},
	} {
		err := upgrade(t, c.values+same, c.objects)
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s in a cluster with %v: got the error %v, want %q in it (empty: no error)",
				c.values, c.objects, err, c.refused)
		}
	}
}

// TestOutputCanBeAppliedAgain checks that `kubectl apply` accepts the output for changed values. Kubernetes rejects a
// change of a Job or a Pod:
//   - So a Job with other contents must have another name.
//   - The only Pod is that of `helm test`. So the commands in docs/deploy.md must have --skip-tests.
func TestOutputCanBeAppliedAgain(t *testing.T) {
	apply := func(values string) *system {
		rendered, err := render(root, parse(t, values))
		if err != nil {
			t.Fatal(err)
		}
		for name := range rendered {
			if strings.HasPrefix(name, "tests/") { // --skip-tests
				delete(rendered, name)
			}
		}
		return parseSystem(t, rendered)
	}
	before, after := apply(replicated), apply("{nodeSelector: {disk: ssd}, "+strings.TrimPrefix(replicated, "{"))
	if len(before.objects["Job"]) == 0 || len(after.objects["Pod"]) != 0 {
		t.Errorf("got %d Jobs and the Pods %v, want Jobs only", len(before.objects["Job"]), after.objects["Pod"])
	}
	for name, job := range before.objects["Job"] {
		if changed := after.objects["Job"][name]; changed != nil && !reflect.DeepEqual(changed, job) {
			t.Errorf("with another node selector, the Job %s has other contents but the same name, want another", name)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/deploy.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "helm template") && strings.Contains(line, "kubectl apply") {
			if found++; !strings.Contains(line, "--skip-tests") {
				t.Errorf("docs/deploy.md: %s lacks --skip-tests", strings.TrimSpace(line))
			}
		}
	}
	if found == 0 {
		t.Error("docs/deploy.md: got no command with `helm template` and `kubectl apply`, want one")
	}
}
