package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestObservability checks the pod monitor, the alerting rules and the trace settings. It also checks that all of them
// are off by default.
func TestObservability(t *testing.T) {
	on := map[string]any{"observability": map[string]any{"prometheusOperator": true,
		"traces": "http://jaeger.tracing:4318/", "logFormat": "json"}}
	rendered, err := render(root, on)
	if err != nil {
		t.Fatal(err)
	}
	monitor, rule, _ := strings.Cut(rendered["monitoring.yaml"], "\n---\n")
	rules, err := os.ReadFile(filepath.Join(root, "common/metrics/rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, rule); got["kind"] != "PrometheusRule" ||
		!reflect.DeepEqual(got["spec"], any(parse(t, string(rules)))) {
		t.Errorf("PrometheusRule: got %v, want the rules in common/metrics/rules.yml", got["spec"])
	}
	endpoint := map[string]any{"port": "internal", "path": "/metrics", "interval": "15s", "honorLabels": true}
	spec, _ := parse(t, monitor)["spec"].(map[string]any)
	if spec["jobLabel"] != "app.kubernetes.io/name" || !reflect.DeepEqual(spec["podMetricsEndpoints"], []any{endpoint}) {
		t.Errorf("pod monitor: got %s, want endpoint %v", monitor, endpoint)
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
		t.Errorf("render without monitoring: got %v, %s", err, rendered["monitoring.yaml"])
	}
}
