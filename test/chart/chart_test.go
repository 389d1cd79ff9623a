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

// valuesFiles are the values files for each environment. "" means the chart's default values.
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

// parse parses values in YAML.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values, err := chartutil.ReadValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// TestPlainManifestsAreUpToDate checks that the committed manifests are equal to the chart's output.
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
		committed, err := filepath.Glob(filepath.Join(root, m.dir, "*"))
		if err != nil || len(committed) != len(texts) {
			t.Errorf("list %s: got %d files, want %d: %v", m.dir, len(committed), len(texts), err)
		}
	}
}

// TestWrongValuesAreRefused checks that the chart refuses wrong values, and that the error names the wrong values.
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
			t.Errorf("render with %s: got no error", values)
		} else if !strings.Contains(err.Error(), name) {
			t.Errorf("render with %s: error does not name %q: %v", values, name, err)
		}
	}
}

// TestValuesAreAccepted checks the manifests for values other than the defaults.
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

// TestValuesFiles checks the manifests for every values file.
func TestValuesFiles(t *testing.T) {
	for _, file := range valuesFiles {
		t.Run(file, func(t *testing.T) { load(t, read(t, file)).check(t) })
	}
}

// TestBatchInitIsOffOutsideMinikube checks that batch_init is only allowed on minikube, because it overwrites data.
func TestBatchInitIsOffOutsideMinikube(t *testing.T) {
	for file, want := range map[string]string{"": "0", "k8s/minikube.yaml": "1", "gke/values.yaml": "0",
		"gke-scale/values.yaml": "0"} {
		for name, set := range load(t, read(t, file)).instances() {
			if got := environment(set)["BATCH_INIT"]; got != want {
				t.Errorf("values file %q: %s has BATCH_INIT=%s, want %s", file, name, got, want)
			}
		}
	}
}

// TestUpgradeRestartsOnlyWhatItChanges checks which pods an upgrade restarts. A new instance or
// shard restarts only the pods whose configuration contains its address.
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
			t.Errorf("upgrade to %s: restarts %v, want %v", values, changed, want)
		}
	}
}

// TestPasswordIsGeneratedUnlessGiven checks that the chart generates a different password for each installation, unless
// a password or a Secret is given.
func TestPasswordIsGeneratedUnlessGiven(t *testing.T) {
	passwords := map[string]bool{}
	for range 3 {
		passwords[string(load(t, nil).secret(t).Data["password"])] = true
	}
	for p := range maps.Keys(passwords) {
		if len(p) != 40 {
			t.Errorf("generate password: got %q, want 40 characters", p)
		}
	}
	if len(passwords) != 3 {
		t.Errorf("generate three passwords: got %v, want three different ones", passwords)
	}
	if got := string(load(t, parse(t, "redis: {password: given}")).secret(t).Data["password"]); got != "given" {
		t.Errorf("given password: got %q, want %q", got, "given")
	}
	if s := load(t, parse(t, "redis: {existingSecret: mine}")); s.objects["Secret"] != nil {
		t.Errorf("given Secret: the chart creates another Secret")
	}
}
