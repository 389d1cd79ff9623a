package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

// TestObservability checks the pod monitor, the alerting rules and the trace settings. It also checks that all three
// are off by default.
func TestObservability(t *testing.T) {
	const source, ours = "https://github.com/OWNER/checkout/blob/main/", "https://git.example/shop/"
	on := parse(t, `{observability: {prometheusOperator: true, sourceURL: '`+ours+`',
		traces: 'http://jaeger.tracing:4318/', logFormat: json, labels: {release: stack}},
		networkPolicy: {metricsFrom: [{namespaceSelector: {}}]}}`)
	rendered, err := render(root, on)
	if err != nil {
		t.Fatal(err)
	}
	monitor, rule, _ := strings.Cut(rendered["monitoring.yaml"], "\n---\n")
	rules, err := os.ReadFile(filepath.Join(root, "k8s/helm/checkout/files/rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, rule); got["kind"] != "PrometheusRule" ||
		!reflect.DeepEqual(got["spec"], any(parse(t, strings.ReplaceAll(string(rules), source, ours)))) {
		t.Errorf("PrometheusRule: got %v, want the rules in k8s/helm/checkout/files/rules.yml", got["spec"])
	}
	if strings.Contains(rule, "OWNER") || strings.Count(rule, "runbook_url: "+ours+"docs/operations.md#") < 10 {
		t.Errorf("PrometheusRule: want at least 10 runbooks in %sdocs/operations.md, and no OWNER; got:\n%s", ours,
			rule)
	}
	for _, text := range []string{monitor, rule} {
		metadata, _ := parse(t, text)["metadata"].(map[string]any)
		if labels, _ := metadata["labels"].(map[string]any); labels["release"] != "stack" {
			t.Errorf("monitoring.yaml: got an object with labels %v, want release: stack", labels)
		}
	}
	endpoint := map[string]any{"port": "metrics", "path": "/metrics", "interval": "15s", "honorLabels": true}
	spec, _ := parse(t, monitor)["spec"].(map[string]any)
	if spec["jobLabel"] != "app.kubernetes.io/name" || !reflect.DeepEqual(spec["podMetricsEndpoints"], []any{endpoint}) {
		t.Errorf("pod monitor: got %s, want jobLabel app.kubernetes.io/name and endpoint %v", monitor, endpoint)
	}
	for _, name := range []string{"order.yaml", "stock.yaml", "payment.yaml"} {
		for _, want := range []string{"{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: \"http://jaeger.tracing:4318/\"}",
			"{name: LOG_FORMAT, value: json}", "- ports: [{port: 4318}]"} {
			if !strings.Contains(rendered[name], want) {
				t.Errorf("%s: %s is missing", name, want)
			}
		}
	}
	if rendered, err = render(root, nil); err != nil || rendered["monitoring.yaml"] != "" ||
		strings.Contains(rendered["order.yaml"], "OTEL") {
		t.Errorf("render without monitoring: got error %v, want no OTEL variables and an empty monitoring.yaml: %s",
			err, rendered["monitoring.yaml"])
	}
}

// TestDashboard checks the ConfigMap that Grafana's sidecar loads.
func TestDashboard(t *testing.T) {
	want, err := os.ReadFile(filepath.Join(root, chartDir, "files/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := load(t, parse(t, `observability: {dashboard: {enabled: true, labels: {team: a},
		annotations: {grafana_folder: shop}}}`))
	got := of[*core.ConfigMap](s, "ConfigMap")["checkout-dashboard"]
	if strings.TrimSpace(got.Data["checkout.json"]) != strings.TrimSpace(string(want)) ||
		got.Labels["grafana_dashboard"] != "1" || got.Labels["team"] != "a" || got.Annotations["grafana_folder"] != "shop" {
		t.Errorf("dashboard: got labels %v, annotations %v, %d bytes; want those in the values, and dashboard.json",
			got.Labels, got.Annotations, len(got.Data["checkout.json"]))
	}
	if load(t, nil).objects["ConfigMap"]["checkout-dashboard"] != nil {
		t.Error("the dashboard exists by default, want none")
	}
}
