package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestObservability checks the pod monitor, the rules of common/metrics and the trace settings, and that they are off
// by default.
func TestObservability(t *testing.T) {
	on := map[string]any{"observability": map[string]any{"prometheusOperator": true,
		"traces": "http://jaeger.tracing:4318/", "logFormat": "json"}}
	found, err := render(root, on)
	if err != nil {
		t.Fatal(err)
	}
	monitor, rule, _ := strings.Cut(found["monitoring.yaml"], "\n---\n")
	rules, err := os.ReadFile(filepath.Join(root, "common/metrics/rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, rule); got["kind"] != "PrometheusRule" ||
		!reflect.DeepEqual(got["spec"], any(parse(t, string(rules)))) {
		t.Errorf("the rules differ from common/metrics/rules.yml: %v", got["spec"])
	}
	endpoint := map[string]any{"port": "internal", "path": "/metrics", "interval": "15s", "honorLabels": true}
	spec, _ := parse(t, monitor)["spec"].(map[string]any)
	if spec["jobLabel"] != "app.kubernetes.io/name" || !reflect.DeepEqual(spec["podMetricsEndpoints"], []any{endpoint}) {
		t.Errorf("pod monitor: %s", monitor)
	}
	for _, name := range []string{"order.yaml", "stock.yaml", "payment.yaml"} {
		for _, want := range []string{"{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: \"http://jaeger.tracing:4318/\"}",
			"{name: LOG_FORMAT, value: json}", "- ports: [{port: 4318}]"} {
			if !strings.Contains(found[name], want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
	if found, err = render(root, nil); err != nil || found["monitoring.yaml"] != "" ||
		strings.Contains(found["order.yaml"], "OTEL") {
		t.Errorf("monitoring is off, but rendered: %v %s", err, found["monitoring.yaml"])
	}
}
