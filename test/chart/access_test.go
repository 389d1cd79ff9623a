package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	apps "k8s.io/api/apps/v1"
	networking "k8s.io/api/networking/v1"
)

// TestAccessSettings checks that the values in "access" reach the services and the gateway, and that Prometheus may
// reach only the monitoring port.
func TestAccessSettings(t *testing.T) {
	s := load(t, parse(t, `{entrance: {kind: ingress, host: shop.example},
		access: {hosts: ["*.b.example"], corsOrigins: ["https://a.example", "https://b.example"], clientTraces: true,
			internalTokenSecret: shared},
		networkPolicy: {metricsFrom: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}}`))
	want := map[string]string{
		"ALLOWED_HOSTS": "gateway.$(NAMESPACE),shop.example,*.b.example", "CLIENT_TRACES": "1",
		"CORS_ORIGINS": "https://a.example,https://b.example",
	}
	templates, _ := s.pods()
	for _, name := range []string{"order-1", "stock-1", "payment-1", "gateway"} {
		container := templates[name].Spec.Containers[0]
		got, secrets := map[string]string{}, map[string]string{}
		for _, v := range container.Env {
			if got[v.Name] = v.Value; v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
				secrets[v.Name] = v.ValueFrom.SecretKeyRef.Name + "/" + v.ValueFrom.SecretKeyRef.Key
			}
		}
		for variable, value := range want {
			if name == "gateway" && variable == "ALLOWED_HOSTS" {
				continue // only the services check the host
			}
			if got[variable] != value {
				t.Errorf("%s: %s is %q, want %q", name, variable, got[variable], value)
			}
		}
		wantToken := map[bool]string{true: "", false: "shared/token"}[name == "gateway"]
		if secrets["INTERNAL_TOKEN"] != wantToken {
			t.Errorf("%s: INTERNAL_TOKEN comes from %q, want %q", name, secrets["INTERNAL_TOKEN"], wantToken)
		}
	}
	policies := of[*networking.NetworkPolicy](s, "NetworkPolicy")
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		for _, rule := range policies[name].Spec.Ingress {
			monitoring := slices.ContainsFunc(rule.From, func(p networking.NetworkPolicyPeer) bool {
				return p.NamespaceSelector != nil
			})
			if monitoring != allowsPort(rule.Ports, 5002) || monitoring && len(rule.Ports) != 1 {
				t.Errorf("policy of %s: the rule for ports %v has the sources %v, want Prometheus for port 5002 only",
					name, rule.Ports, rule.From)
			}
			if strings.Contains(name, "redis") && monitoring {
				t.Errorf("the policy of %s admits Prometheus, want no Redis to admit it", name)
			}
		}
	}
	_, hasToken := environment(load(t, nil).instances()["order"])["INTERNAL_TOKEN"]
	if hasToken {
		t.Error("without access.internalTokenSecret: INTERNAL_TOKEN is set, want no token")
	}
}

// missing returns a tree with nil for each name that is in current, but not in old. In Helm, nil removes a default.
func missing(current, old map[string]any) map[string]any {
	values := map[string]any{}
	for name, value := range current {
		was, exists := old[name]
		child, _ := value.(map[string]any)
		oldChild, _ := was.(map[string]any)
		if !exists {
			values[name] = nil
		} else if deeper := missing(child, oldChild); len(deeper) > 0 {
			values[name] = deeper
		}
	}
	return values
}

// TestUpgradeFromOlderCharts checks that the chart renders with the values of each older chart. These values lack new
// entries, because `helm upgrade --reuse-values` replaces the defaults of the chart with the defaults of the older
// chart.
func TestUpgradeFromOlderCharts(t *testing.T) {
	files, err := filepath.Glob("testdata/values-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the values of older charts: got %v, %v, want at least one file", files, err)
	}
	for _, file := range files {
		old := read(t, filepath.Join("test/chart", file))
		lacking := missing(read(t, filepath.Join(chartDir, "values.yaml")), old)
		if len(lacking) == 0 {
			t.Errorf("%s has all values of the current chart, want a file without some values", file)
		}
		s := load(t, chartutil.MergeTables(lacking, old))
		s.check(t)
	}
	s := load(t, parse(t, `{access: null, systemName: null, batchLimit: null, idempotencyKeyLimit: null,
		redis: {minFreeMi: null, external: null, pod: null, service: null},
		machine: {pod: null, service: null}, serviceAccount: null, backup: null,
		gateway: {pod: null, service: null, autoscale: null}, image: {registry: null, digests: null},
		observability: {labels: null, dashboard: null},
		entrance: {tlsRedirect: null, parentNamespace: null, parentSection: null, trustedProxies: null}}`))
	s.check(t)
	env := environment(s.instances()["order"])
	for variable, want := range map[string]string{
		"ALLOWED_HOSTS": "gateway.$(NAMESPACE)", "CORS_ORIGINS": "", "CLIENT_TRACES": "0", "SYSTEM_NAME": release,
	} {
		if env[variable] != want {
			t.Errorf("%s is %q, want %q", variable, env[variable], want)
		}
	}
	if limit, set := env["BATCH_LIMIT"]; set {
		t.Errorf("BATCH_LIMIT is %q, want the default of the service", limit)
	}
}

// TestLimits checks that the limits reach the services and Redis as decimal digits, not in the form 1e+07.
func TestLimits(t *testing.T) {
	s := load(t, parse(t, "{batchLimit: 10000000, idempotencyKeyLimit: 1000000000, redis: {minFreeMi: 64}}"))
	for name, set := range s.instances() {
		if env := environment(set); env["BATCH_LIMIT"] != "10000000" || env["IDEMPOTENCY_KEY_LIMIT"] != "1000000000" {
			t.Errorf("%s: got BATCH_LIMIT=%s IDEMPOTENCY_KEY_LIMIT=%s, want 10000000 and 1000000000",
				name, env["BATCH_LIMIT"], env["IDEMPOTENCY_KEY_LIMIT"])
		}
	}
	redis := of[*apps.StatefulSet](s, "StatefulSet")["order-redis"]
	if got := environment(redis.Spec.Template)["REDIS_MIN_FREE_KIB"]; got != "65536" {
		t.Errorf("REDIS_MIN_FREE_KIB is %q, want 65536", got)
	}
}
