package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

const (
	chartDir = "k8s/helm/checkout"
	release  = "checkout"
)

// render returns what the chart makes of values, by template ("order.yaml"), as `helm template` would. root is the repository's.
func render(root string, values map[string]any) (map[string]string, error) {
	chart, err := loader.Load(filepath.Join(root, chartDir))
	if err != nil {
		return nil, err
	}
	given, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: release, Namespace: "default"}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	given["Release"].(map[string]any)["Service"] = "kubectl" // who manages what is applied without Helm
	rendered, err := engine.Render(chart, given)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for path, text := range rendered {
		name := strings.TrimPrefix(path, chart.Name()+"/templates/")
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(text) != "" {
			found[name] = text
		}
	}
	return found, nil
}

// manifests are plain manifests in one folder, for `kubectl apply -f`.
type manifests struct {
	dir    string
	values string              // the file with the chart's values
	set    map[string]any      // values that differ
	files  map[string][]string // each file, and the templates it holds
}

// known to kubectl's users alone: they make the Secret themselves, since a password cannot be committed.
func withSecret(set map[string]any) map[string]any {
	set["redis"] = map[string]any{"existingSecret": "redis-password"}
	return set
}

func files(gateway string) map[string][]string {
	return map[string][]string{
		"order-app.yaml": {"order.yaml"}, "stock-app.yaml": {"stock.yaml"}, "payment-app.yaml": {"payment.yaml"}, gateway: {"gateway.yaml", "entrance.yaml"},
	}
}

var all = []manifests{
	{"k8s/kube", "k8s/minikube.yaml", withSecret(map[string]any{}), files("gateway.yaml")},
	{"gke/kube", "gke/values.yaml", withSecret(map[string]any{"entrance": map[string]any{
		"kind": "ingress", "class": "", "gkeHealthCheck": false, // without a class it is GKE's own
	}}), files("ingress-service.yaml")},
}

// render returns the text of each file, by its path in the repository.
func (m manifests) render(root string) (map[string][]byte, error) {
	values, err := chartutil.ReadValuesFile(filepath.Join(root, m.values))
	if err != nil {
		return nil, err
	}
	rendered, err := render(root, chartutil.MergeTables(chartutil.Values(m.set), values))
	if err != nil {
		return nil, err
	}
	texts := map[string][]byte{}
	for file, templates := range m.files {
		var text bytes.Buffer
		fmt.Fprintf(&text, "# Made of %s with %s by `make manifests`: change those. Needs the Secret redis-password.\n", chartDir, m.values)
		for _, name := range templates {
			text.WriteString("---\n" + tidy(rendered[name]))
		}
		texts[filepath.Join(m.dir, file)] = text.Bytes()
	}
	return texts, nil
}

// tidy leaves out blank lines, and the separators that would be doubled.
func tidy(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if line != "" && (line != "---" || len(lines) > 0 && lines[len(lines)-1] != "---") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// write brings every plain manifest up to date.
func write(root string) error {
	for _, m := range all {
		texts, err := m.render(root)
		if err != nil {
			return err
		}
		for _, path := range slices.Sorted(maps.Keys(texts)) {
			if err := os.WriteFile(filepath.Join(root, path), texts[path], 0o644); err != nil {
				return err
			}
			fmt.Println(path)
		}
	}
	return nil
}
