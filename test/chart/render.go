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

// render renders the chart like `helm template`. It returns the output by template name, such as "order.yaml". root is
// the root of the repository.
func render(root string, values map[string]any) (map[string]string, error) {
	chart, err := loader.Load(filepath.Join(root, chartDir))
	if err != nil {
		return nil, err
	}
	given, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: release, Namespace: "default"},
		chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	given["Release"].(map[string]any)["Service"] = "kubectl" // the value of the label managed-by
	rendered, err := engine.Render(chart, given)
	if err != nil {
		return nil, err
	}
	byName := map[string]string{}
	for path, text := range rendered {
		name := strings.TrimPrefix(path, chart.Name()+"/templates/")
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(text) != "" {
			byName[name] = text
		}
	}
	return byName, nil
}

// manifests describes a folder of plain manifests for `kubectl apply -f`.
type manifests struct {
	dir    string
	values string              // values file
	set    map[string]any      // values that override the values file
	files  map[string][]string // templates in each file
}

// withSecret adds the value that makes the chart use an existing Secret. A generated password must not be committed.
func withSecret(set map[string]any) map[string]any {
	set["redis"] = map[string]any{"existingSecret": "redis-password"}
	return set
}

// files returns the templates in each file. gateway is the file name for the gateway and the entrance.
func files(gateway string) map[string][]string {
	return map[string][]string{
		"order-app.yaml": {"order.yaml"}, "stock-app.yaml": {"stock.yaml"}, "payment-app.yaml": {"payment.yaml"},
		gateway: {"gateway.yaml", "entrance.yaml"},
	}
}

var plainManifests = []manifests{
	{"k8s/kube", "k8s/minikube.yaml", withSecret(map[string]any{}), files("gateway.yaml")},
	{"gke/kube", "gke/values.yaml", withSecret(map[string]any{"entrance": map[string]any{
		"kind": "ingress", "class": "", "gkeHealthCheck": false, // without a class, GKE uses its default class
	}}), files("ingress-service.yaml")},
}

// render returns the content of each file, by path relative to the root.
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
		fmt.Fprintf(&text, "# Generated from %s with %s by `make manifests`. Do not edit. Needs the Secret redis-password.\n",
			chartDir, m.values)
		for _, name := range templates {
			text.WriteString("---\n" + tidy(rendered[name]))
		}
		texts[filepath.Join(m.dir, file)] = text.Bytes()
	}
	return texts, nil
}

// tidy removes blank lines and duplicate separators.
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

// write updates every plain manifest.
func write(root string) error {
	for _, m := range plainManifests {
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
