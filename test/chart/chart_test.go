package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
)

const root = "../.."

// valuesFiles are the values files of each way to deploy; "" is the chart's own.
var valuesFiles = []string{"", "k8s/minikube.yaml", "gke/values.yaml", "gke-scale/values.yaml"}

// read returns the values in a file.
func read(t *testing.T, file string) map[string]any {
	t.Helper()
	if file == "" {
		return map[string]any{}
	}
	values, err := chartutil.ReadValuesFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// parse returns values from YAML.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values, err := chartutil.ReadValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// TestPlainManifestsAreUpToDate compares the committed manifests with the chart's output.
func TestPlainManifestsAreUpToDate(t *testing.T) {
	for _, m := range plainManifests {
		texts, err := m.render(root)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range texts {
			if got, err := os.ReadFile(filepath.Join(root, path)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s differs from the chart's output (%v): run `make manifests`", path, err)
			}
		}
		found, err := filepath.Glob(filepath.Join(root, m.dir, "*"))
		if err != nil || len(found) != len(texts) {
			t.Errorf("%s has %d files, want %d: %v", m.dir, len(found), len(texts), err)
		}
	}
}

// TestWrongValuesAreRefused checks that the chart refuses wrong values and names them.
func TestWrongValuesAreRefused(t *testing.T) {
	for values, name := range map[string]string{
		"machines: 0":                             "machines",
		"shards: 257":                             "shards",
		"shards: two":                             "shards",
		"shards: 1.5":                             "shards",
		"order: {machines: 0}":                    "order",
		"shrads: 2":                               "shrads",
		"redis: {maxmemory: 1gb}":                 "maxmemory",
		"redis: {maxmemoryMi: 1Gi}":               "maxmemoryMi",
		"redis: {flavour: keydb}":                 "flavour",
		"redis: {image: redis}":                   "image",
		"redis: {storage: {size: 10}}":            "size",
		"redis: {password: a b}":                  "password",
		"redis: {password: a, existingSecret: b}": "redis.existingSecret",
		"entrance: {kind: nodePort}":              "kind",
		"entrance: {kind: gateway}":               "entrance.class",
		"entrance: {tlsSecret: tls}":              "entrance.tlsSecret",
		"machine: {cpu: much}":                    "cpu",
		"image: {tag: a b}":                       "tag",
		"image: {pullPolicy: Sometimes}":          "pullPolicy",
		"batchInit: 1":                            "batchInit",
		"console: 1":                              "console",
		"gateway: {replicas: 0}":                  "replicas",
	} {
		_, err := render(root, parse(t, values))
		if err == nil {
			t.Errorf("%s: not refused", values)
		} else if !strings.Contains(err.Error(), name) {
			t.Errorf("%s: refused without naming %q: %v", values, name, err)
		}
	}
}

// TestValuesAreAccepted sets every value to something other than its default and checks the manifests.
func TestValuesAreAccepted(t *testing.T) {
	for _, values := range []string{
		"{machines: 5, shards: 3, order: {machines: 2, shards: 4}, payment: {machines: 1}}",
		"{redis: {flavour: valkey, password: secret}, debug: true, batchInit: true}",
		"{redis: {image: 'registry.local:5000/redis:7', storage: {class: fast}}}",
		"{machine: {cpu: 2}, gateway: {accessLog: true, replicas: 5}, priorityClass: high}",
		"{nodeSelector: {disk: ssd}, tolerations: [{key: a, operator: Exists}]}",
		"{entrance: {kind: ingress, class: traefik, host: shop.example, tlsSecret: tls, annotations: {a: b}}}",
		"{entrance: {kind: gateway, class: c, host: shop.example, tlsSecret: tls, annotations: {a: b}}}",
		"{entrance: {kind: gateway, parent: others}}",
		"{entrance: {kind: none}, networkPolicy: {metricsFrom: [{namespaceSelector: {matchLabels: {a: b}}}]}}",
		"{networkPolicy: {enabled: false}, image: {prefix: 'registry.local:5000/shop/', pullSecrets: [key]}}",
	} {
		s := load(t, parse(t, values))
		s.check(t)
	}
}

// TestValuesFiles checks the manifests of every values file.
func TestValuesFiles(t *testing.T) {
	for _, file := range valuesFiles {
		t.Run(file, func(t *testing.T) { load(t, read(t, file)).check(t) })
	}
}

// TestBatchInitIsOffOutsideMinikube checks that only minikube allows batch_init, which overwrites data.
func TestBatchInitIsOffOutsideMinikube(t *testing.T) {
	for file, want := range map[string]string{"": "0", "k8s/minikube.yaml": "1", "gke/values.yaml": "0",
		"gke-scale/values.yaml": "0"} {
		for name, set := range load(t, read(t, file)).instances() {
			if got := environment(set)["BATCH_INIT"]; got != want {
				t.Errorf("%s: %s has BATCH_INIT=%s", file, name, got)
			}
		}
	}
}

// TestUpgradeRestartsOnlyWhatItChanges checks which pods an upgrade restarts. New images restart no Redis. More
// instances or shards restart the pods that must know them.
func TestUpgradeRestartsOnlyWhatItChanges(t *testing.T) {
	before := load(t, parse(t, "{machines: 2, shards: 2}")).templates(t)
	for values, want := range map[string][]string{
		"{machines: 2, shards: 2}":                            nil,
		"{machines: 2, shards: 2, batchInit: true}":           {"order", "payment", "stock"},
		"{machines: 2, shards: 3}":                            {"order", "payment", "stock"},
		"{machines: 2, shards: 2, stock: {shards: 3}}":        {"stock"},
		"{machines: 3, shards: 2}":                            {"gateway", "order", "payment", "stock"},
		"{machines: 2, shards: 2, stock: {machines: 3}}":      {"gateway", "order", "stock"},
		"{machines: 2, shards: 2, redis: {maxmemoryMi: 512}}": {"order-redis", "payment-redis", "stock-redis"},
	} {
		var changed []string
		for name, template := range load(t, parse(t, values)).templates(t) {
			if template != before[name] {
				changed = append(changed, name)
			}
		}
		if slices.Sort(changed); !slices.Equal(changed, want) {
			t.Errorf("%s restarts %v, want %v", values, changed, want)
		}
	}
}

// TestPasswordIsGeneratedUnlessGiven checks that each installation gets its own password or the given one.
func TestPasswordIsGeneratedUnlessGiven(t *testing.T) {
	passwords := map[string]bool{}
	for range 3 {
		passwords[string(load(t, nil).secret(t).Data["password"])] = true
	}
	for p := range maps.Keys(passwords) {
		if len(p) != 40 {
			t.Errorf("generated password %q, want 40 characters", p)
		}
	}
	if len(passwords) != 3 {
		t.Errorf("three installations have the passwords %v, want three different ones", passwords)
	}
	if got := string(load(t, parse(t, "redis: {password: given}")).secret(t).Data["password"]); got != "given" {
		t.Errorf("given password: got %q", got)
	}
	if s := load(t, parse(t, "redis: {existingSecret: mine}")); s.objects["Secret"] != nil {
		t.Errorf("the chart makes a Secret although one exists")
	}
}
