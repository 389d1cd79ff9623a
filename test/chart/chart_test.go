package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
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

// TestChartHasNoSymbolicLinks checks that the chart consists of files, because helm warns about links and Flux
// ignores links.
func TestChartHasNoSymbolicLinks(t *testing.T) {
	files := 0
	err := filepath.WalkDir(filepath.Join(root, chartDir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if files++; !d.Type().IsRegular() {
				t.Errorf("%s is not a regular file", path)
			}
		}
		return err
	})
	if err != nil || files < 10 {
		t.Errorf("walk the chart: got %d files, %v, want at least 10", files, err)
	}
}

// TestVersionMovesWithTheRelease compares the version of the chart with the newest release in the changelog. If the
// changelog has unreleased changes, the versions must differ. Otherwise they must be equal.
func TestVersionMovesWithTheRelease(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	released := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+)`).FindSubmatch(text)
	unreleased := bytes.Contains(text, []byte("\n## Unreleased\n"))
	chart, err := loader.Load(filepath.Join(root, chartDir))
	if err != nil || released == nil {
		t.Fatal(err, released)
	}
	if v := chart.Metadata; v.Version != v.AppVersion || (v.Version == string(released[1])) == unreleased {
		t.Errorf("got chart version %s for the app %s; the newest release is %s, with unreleased changes: %v; "+
			"want the same version for both, equal to the newest release only without unreleased changes",
			v.Version, v.AppVersion, released[1], unreleased)
	}
}

// TestWrongValuesAreRefused checks that the chart refuses each invalid value, and that the error names the value.
func TestWrongValuesAreRefused(t *testing.T) {
	for values, name := range map[string]string{
		"machines: 0":                              "machines",
		"shards: 257":                              "shards",
		"shards: two":                              "shards",
		"shards: 1.5":                              "shards",
		"order: {machines: 0}":                     "order",
		"shrads: 2":                                "shrads",
		"redis: {maxmemory: 1gb}":                  "maxmemory",
		"redis: {replicas: 2}":                     "replicas",
		"redis: {replicas: 0}":                     "replicas",
		"redis: {replicas: 5}":                     "replicas",
		"redis: {replicas: '3'}":                   "replicas",
		"redis: {replicas: true}":                  "replicas",
		"redis: {keeper: {token: abc}}":            "token",
		"redis: {maxmemoryMi: 1Gi}":                "maxmemoryMi",
		"redis: {flavour: keydb}":                  "flavour",
		"redis: {image: redis}":                    "image",
		"redis: {storage: {size: 10}}":             "size",
		"redis: {password: a b}":                   "password",
		"redis: {password: a, existingSecret: b}":  "redis.existingSecret",
		"entrance: {kind: nodePort}":               "kind",
		"entrance: {kind: gateway}":                "entrance.class",
		"machine: {cpu: much}":                     "cpu",
		"image: {tag: a b}":                        "tag",
		"image: {pullPolicy: Sometimes}":           "pullPolicy",
		"batchInit: 1":                             "batchInit",
		"console: 1":                               "console",
		"lists: 1":                                 "lists",
		"batchLimit: 0":                            "batchLimit",
		"batchLimit: 10000001":                     "batchLimit",
		"idempotencyKeyLimit: 0":                   "idempotencyKeyLimit",
		"redis: {minFreeMi: 0}":                    "minFreeMi",
		"access: {hosts: ['a:80']}":                "hosts",
		"access: {hosts: [a..example]}":            "hosts",
		"access: {hosts: ['*.']}":                  "hosts",
		"access: {hosts: [.a]}":                    "hosts",
		"access: {corsOrigins: ['https://a:443']}": "corsOrigins",
		"access: {corsOrigins: ['http://a:80']}":   "corsOrigins",
		"access: {corsOrigins: ['https://a..b']}":  "corsOrigins",
		"access: {corsOrigins: ['https://A.b']}":   "corsOrigins",
		"access: {corsOrigins: ['https://a.b/']}":  "corsOrigins",
		"access: {corsOrigins: ['*']}":             "corsOrigins",
		"access: {corsOrigins: ['a\";']}":          "corsOrigins",
		"access: {token: abc}":                     "token",
		"gateway: {replicas: 0}":                   "replicas",
		"lostNodeSeconds: -1":                      "lostNodeSeconds",
	} {
		_, err := render(root, parse(t, values))
		if err == nil {
			t.Errorf("render with %s: got no error, want one", values)
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
		"{redis: {image: 'r.example/a_b/redis__c:7.0-X'}, image: {registry: 'localhost:5000/a/b', prefix: c-d/e.f/}}",
		"image: {prefix: ''}",
		"{machine: {cpu: 2}, gateway: {accessLog: true, replicas: 5}, priorityClass: high}",
		"{nodeSelector: {disk: ssd}, tolerations: [{key: a, operator: Exists}]}",
		"{entrance: {kind: ingress, class: traefik, host: shop.example, tlsSecret: tls, annotations: {a: b}}}",
		"{entrance: {kind: gateway, class: c, host: shop.example, tlsSecret: tls, annotations: {a: b}}}",
		"{entrance: {kind: gateway, parent: others}}",
		"{entrance: {kind: ingress, host: '*.b.example'}, access: {hosts: ['*', Shop.example, a_b]}}",
		"{access: {corsOrigins: ['http://localhost:3000', 'http://a.example:443', 'https://a.example:8443']}}",
		"{access: {hosts: ['*.b.example'], corsOrigins: ['https://a.example'], clientTraces: true, internalTokenSecret: t}}",
		"{entrance: {kind: none}, networkPolicy: {metricsFrom: [{namespaceSelector: {matchLabels: {a: b}}}]}}",
		"{redis: {existingSecret: mine, existingSecretKey: redis}}",
		"{redis: {gkeStatefulHA: true, storage: {class: regional}}}",
		"{redis: {replicas: 3}}",
		"{shards: 3, redis: {replicas: 3, flavour: valkey, keeper: {cpu: 1, tokenSecret: t}, existingSecret: mine}}",
		"{machines: 2, order: {shards: 2}, redis: {replicas: 3, password: secret}, networkPolicy: {enabled: false}}",
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

// TestBatchInitIsOffOutsideMinikube checks that batch_init is allowed only on minikube, because it overwrites data.
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

// TestListsFollowTheConsole checks that the chart sets LISTS only if the value lists is set. Otherwise the services use
// the value of CONSOLE.
func TestListsFollowTheConsole(t *testing.T) {
	for values, want := range map[string]string{"": "", "console: true": "", "lists: null": "", "lists: true": "1",
		"{console: true, lists: false}": "0"} {
		for name, set := range load(t, parse(t, values)).instances() {
			if got := environment(set)["LISTS"]; got != want {
				t.Errorf("values %q: %s has LISTS=%q, want %q", values, name, got, want)
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
		s := load(t, parse(t, values))
		workloads, _ := s.pods()
		var changed []string
		for name, template := range s.templates(t) {
			if template != before[name] {
				changed = append(changed, component(workloads[name]))
			}
		}
		slices.Sort(changed)
		if changed = slices.Compact(changed); !slices.Equal(changed, want) {
			t.Errorf("upgrade to %s: restarts %v, want %v", values, changed, want)
		}
	}
}
