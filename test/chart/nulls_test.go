package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// ownDefaults are values that the chart passes to a program in an environment variable. If a value is null, the
// chart omits the variable, and the program uses its own default, which is the same.
var ownDefaults = []string{"batchLimit", "idempotencyKeyLimit", "redis.minFreeMi"}

// at returns the map for the last key of a path. It creates missing maps.
func at(values map[string]any, path []string) map[string]any {
	for _, key := range path[:len(path)-1] {
		next, ok := values[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			values[key] = next
		}
		values = next
	}
	return values
}

// TestNullMeansTheDefault sets each value to null. Helm then removes the value. The chart must report a missing
// property or, except for ownDefaults, render the same as with the default.
func TestNullMeansTheDefault(t *testing.T) {
	const base = "{backup: {enabled: true}, redis: {replicas: 3}, gateway: {autoscale: {maxReplicas: 5}}}"
	same, err := render(root, parse(t, base))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(values map[string]any, path []string)
	walk = func(values map[string]any, path []string) {
		for key, value := range values {
			path := append(slices.Clone(path), key)
			name := strings.Join(path, ".")
			null, unset, want := parse(t, base), parse(t, base), same
			at(null, path)[key] = nil
			if _, set := unset[path[0]]; set {
				delete(at(unset, path), key)
				if want, err = render(root, unset); err != nil {
					t.Fatalf("render without %s: %v", name, err)
				}
			}
			got, err := render(root, null)
			if err == nil && !maps.Equal(got, want) && !slices.Contains(ownDefaults, name) {
				t.Errorf("render with null for %s: the output differs from that of the default, want the same or an error", name)
			}
			if err != nil && !strings.Contains(err.Error(), "missing property '"+key+"'") {
				t.Errorf("render with null for %s: got the error %v, want the missing property %s", name, err, key)
			}
			if below, ok := value.(map[string]any); ok {
				walk(below, path)
			}
		}
	}
	walk(read(t, chartDir+"/values.yaml"), nil)
}

// TestNullIsRefused checks that the chart reports null for a required value as a missing property.
func TestNullIsRefused(t *testing.T) {
	for values, name := range map[string]string{
		"machines: null":                "machines",
		"shards: null":                  "shards",
		"networkPolicy: {enabled: ~}":   "enabled",
		"networkPolicy: null":           "networkPolicy",
		"redis: {maxmemoryMi: null}":    "maxmemoryMi",
		"gateway: {replicas: null}":     "replicas",
		"gateway: {accessLog: null}":    "accessLog",
		"observability: {logFormat: ~}": "logFormat",
		"image: null":                   "image",
		"batchInit: null":               "batchInit",
	} {
		_, err := render(root, parse(t, values))
		if err == nil || !strings.Contains(err.Error(), "missing property") || !strings.Contains(err.Error(), name) {
			t.Errorf("render with %s: got the error %v, want one about the missing property %s", values, err, name)
		}
	}
}
