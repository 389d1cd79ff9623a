package main

import (
	"testing"

	core "k8s.io/api/core/v1"
)

// numericNames has values in which each name is a number, a boolean or null in YAML unless it has quotes.
var numericNames = []string{
	`{image: {pullSecrets: ["1"]}, access: {internalTokenSecret: "1"}, serviceAccount: {create: true, name: "1"},
		priorityClass: "1", redis: {existingSecret: "1", existingSecretKey: "1", storage: {class: "1"}},
		backup: {enabled: true, snapshotClass: "1"}, machine: {pod: {labels: {a: "1"}, annotations: {a: "1"}}},
		entrance: {kind: ingress, class: "1", host: shop.example, tlsSecret: "1"}}`,
	`{systemName: "1", redis: {replicas: 3, password: "1", keeper: {tokenSecret: "1"}}, backup: {enabled: true},
		entrance: {kind: gateway, class: "1", host: shop.example, tlsSecret: "1", tlsRedirect: true, gkeHealthCheck: true}}`,
	`{redis: {replicas: 3, gkeStatefulHA: true, existingSecret: "null", existingSecretKey: "on", storage: {class: "1e3"}},
		serviceAccount: {name: "null"}, entrance: {kind: gateway, parent: "1", parentNamespace: "1e3", parentSection: "on"}}`,
	`{redis: {existingSecret: "1", external: {order: ["a:1"], stock: ["b:1"], payment: ["c:1"], username: "1",
		tls: true, caSecret: "1", caKey: "1"}}}`,
}

// TestNumericNames checks that each name stays a string in YAML, including the names of the release and the namespace.
func TestNumericNames(t *testing.T) {
	for release, namespace := range map[string]string{"123": "1e3", "null": "on", "0x1": "123"} {
		for _, values := range numericNames {
			rendered, err := renderAs(root, release, namespace, parse(t, values))
			if err != nil {
				t.Errorf("render release %s in namespace %s with %s: %v", release, namespace, values, err)
				continue
			}
			s := parseSystem(t, rendered)
			if t.Failed() {
				t.Fatalf("parse release %s in namespace %s with %s: see the errors above", release, namespace, values)
			}
			for name, service := range of[*core.Service](s, "Service") {
				if got := service.Labels["app.kubernetes.io/instance"]; got != release {
					t.Errorf("Service %s: got the release %q, want %q", name, got, release)
				}
			}
		}
	}
}
