package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// resources are the resources that the fake API server offers, by group version.
var resources = map[string][]meta.APIResource{
	"/api/v1": {{Name: "services", Kind: "Service", Namespaced: true}, {Name: "secrets", Kind: "Secret", Namespaced: true},
		{Name: "persistentvolumeclaims", Kind: "PersistentVolumeClaim", Namespaced: true}},
	"/apis/apps/v1": {{Name: "statefulsets", Kind: "StatefulSet", Namespaced: true},
		{Name: "deployments", Kind: "Deployment", Namespaced: true}},
}

// upgrade renders the chart like `helm upgrade` in a namespace that contains the given objects. The objects are YAML
// texts by path, such as "services/gateway".
func upgrade(t *testing.T, values string, objects map[string]string) error {
	t.Helper()
	_, err := renderLive(t, values, objects)
	return err
}

// renderLive is like upgrade, but also returns the rendered templates by path.
func renderLive(t *testing.T, values string, objects map[string]string) (map[string]string, error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if list, ok := resources[r.URL.Path]; ok {
			group := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/")
			_ = json.NewEncoder(w).Encode(meta.APIResourceList{TypeMeta: meta.TypeMeta{Kind: "APIResourceList"},
				GroupVersion: group, APIResources: list})
			return
		}
		_, path, _ := strings.Cut(r.URL.Path, "/namespaces/default/")
		text, ok := objects[path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(w).Encode(meta.Status{TypeMeta: meta.TypeMeta{Kind: "Status", APIVersion: "v1"},
				Status: meta.StatusFailure, Reason: meta.StatusReasonNotFound, Code: http.StatusNotFound})
			return
		}
		body, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()
	chart, err := loader.Load(filepath.Join(root, chartDir))
	if err != nil {
		t.Fatal(err)
	}
	given, err := chartutil.ToRenderValues(chart, parse(t, values),
		chartutil.ReleaseOptions{Name: release, Namespace: "default", IsUpgrade: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.RenderWithClient(chart, given, &rest.Config{Host: server.URL})
}

// redisSet is the StatefulSet of order's Redis in the cluster.
const redisSet = `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: order-redis}, spec: {replicas: 1,
	template: {spec: {containers: [{command: [sh, /scripts/redis-start, redis-server]}]}},
	volumeClaimTemplates: [{spec: {storageClassName: fast, resources: {requests: {storage: 20Gi}}}}]}}`

// instanceSet is the Deployment of an order instance in the cluster.
const instanceSet = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: order-1}, spec: {template: {spec: {
	containers: [{env: [{name: SYSTEM_NAME, value: checkout}, {name: REDIS_ADDRS, value: "order-redis-0:6379"},
	{name: REDIS_PASSWORD, valueFrom: {}}]}]}}}}`

// TestChangesOfLiveDataAreRefused checks which values the chart refuses, given the objects in the cluster.
func TestChangesOfLiveDataAreRefused(t *testing.T) {
	live := map[string]string{
		"statefulsets/order-redis": redisSet,
		"services/gateway": `{apiVersion: v1, kind: Service, metadata: {name: gateway,
			annotations: {meta.helm.sh/release-name: checkout}}}`,
		"persistentvolumeclaims": fmt.Sprintf(claimOfRedis, "data-order-redis-0", "checkout"),
	}
	with := func(path, text string) map[string]string {
		return map[string]string{path: text}
	}
	withPassword := map[string]string{
		"deployments/order-1": strings.Replace(instanceSet, "valueFrom: {}",
			"valueFrom: {secretKeyRef: {name: redis-password, key: password}}", 1),
		"secrets/redis-password": `{apiVersion: v1, kind: Secret, metadata: {name: redis-password,
			annotations: {meta.helm.sh/release-name: checkout}}, data: {password: b2xk}}`, // "old"
	}
	secretOnly := with("secrets/redis-password", withPassword["secrets/redis-password"])
	threeNodes := map[string]string{
		"statefulsets/order-redis-0": `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: order-redis-0}, spec: {
			template: {spec: {initContainers: [{command: [sh, /scripts/redis-start, redis-server], env: [{name: REDISCLI_AUTH,
			valueFrom: {secretKeyRef: {name: mine, key: a}}}]}]}}}}`,
		"secrets/mine": "{apiVersion: v1, kind: Secret, metadata: {name: mine}, data: {a: b2xk, b: b2xk, c: bmV3}}",
	}
	const same = "redis: {storage: {size: 20Gi, class: fast}}"
	for _, c := range []struct {
		values  string
		objects map[string]string
		want    string // part of the error; empty: no error
	}{
		{same, live, ""},
		{"redis: {storage: {size: 20480Mi, class: fast}}", live, ""}, // the same size
		{"{}", nil, ""},
		{"redis: {storage: {size: 30Gi, class: fast}}", live, `follow "Resize the volumes" in docs/operations.md`},
		{"redis: {storage: {size: 10Gi, class: fast}}", live, "order-redis has volumes of 20Gi"},
		{"redis: {storage: {size: 20Gi}}", live, `order-redis has volumes of class "fast"`},
		{"redis: {flavour: valkey, storage: {size: 20Gi, class: fast}}", live, "order-redis runs redis, and valkey cannot"},
		{externalValues, live, "redis.external: the data of this system is in the StatefulSet order-redis"},
		{"{}", with("services/gateway", strings.Replace(live["services/gateway"], "name: checkout", "name: other", 1)),
			"already contains the release other of this chart"},
		{"{}", map[string]string{ // the other release has more shards
			"services/gateway":         strings.Replace(live["services/gateway"], "name: checkout", "name: other", 1),
			"statefulsets/stock-redis": strings.Replace(redisSet, "replicas: 1", "replicas: 3", 1),
		}, "already contains the release other of this chart"},
		// Helm itself rejects a Service that belongs to no release, so the chart need not.
		{"{}", with("services/gateway", "{apiVersion: v1, kind: Service, metadata: {name: gateway}}"), ""},
		{"{}", with("statefulsets/order", instanceSet), ""}, // instances of an older chart
		{"{}", with("deployments/order-1", strings.Replace(instanceSet, "value: checkout", "value: shop", 1)),
			"systemName: the data belongs to the system shop"},
		{"systemName: shop", with("deployments/order-1", instanceSet), "set systemName to checkout"},
		{"{}", with("deployments/order-1", strings.Replace(instanceSet, "order-redis-0", "a.example", 1)),
			"the data of this system is in a.example:6379. Without redis.external, the system would start empty"},
		{"redis: {password: new}", withPassword, "first change the Secret and restart the pods"},
		{"redis: {password: old}", withPassword, ""},
		{"redis: {existingSecret: mine}", withPassword, ""}, // allowed: the new name of the Secret restarts the pods
		{"redis: {password: new}", secretOnly, ""},
		{"redis: {replicas: 3, existingSecret: mine, existingSecretKey: a}", threeNodes, ""},
		{"redis: {replicas: 3, existingSecret: mine, existingSecretKey: b}", threeNodes, ""}, // the same password
		{"redis: {replicas: 3, existingSecret: mine, existingSecretKey: c}", threeNodes,
			"order-redis-0 has its password from the key a of the Secret mine"},
		{"redis: {replicas: 3, existingSecret: other, existingSecretKey: a}", threeNodes, "keep the Secret, and follow"},
		{"redis: {replicas: 3}", threeNodes, "keep the Secret, and follow"},
	} {
		err := upgrade(t, c.values, c.objects)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("upgrade with %s: got error %v, want %q in it (empty: no error)", c.values, err, c.want)
		}
	}
}
