package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

// ours is a pattern for the names of this project's images in a manifest. Its groups are prefix, name and tag.
var ours = regexp.MustCompile(`(?m)^\s*image: "?(\S*checkout-)(order|stock|payment|keeper|gateway):([^\s"]+)`)

// publishes returns the variables that .ci/names prints for a tag in a repository of Some-Org.
func publishes(t *testing.T, tag string) (names map[string]string, err error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, ".ci/names"))
	cmd.Env = append(os.Environ(), "GITHUB_REPOSITORY_OWNER=Some-Org", "GITHUB_REF_TYPE=tag", "GITHUB_REF_NAME="+tag,
		"GITHUB_SHA=abc")
	out, err := cmd.Output()
	names = map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		names[name] = value
	}
	return names, err
}

// appVersion returns the version of the chart, which is the tag of its images.
func appVersion(t *testing.T) string {
	t.Helper()
	meta, err := chartutil.LoadChartfile(filepath.Join(root, chartDir, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return meta.AppVersion
}

// wantImages checks that a text names the images of the services and of the gateway, with this prefix and tag. The
// text must not name the image of the keeper, because only replicated shards use it.
func wantImages(t *testing.T, what, text, prefix, tag string) {
	t.Helper()
	found := map[string]bool{}
	for _, image := range ours.FindAllStringSubmatch(text, -1) {
		found[image[2]] = true
		if image[1] != prefix || image[3] != tag {
			t.Errorf("%s: image %s%s:%s, want %s%s:%s", what, image[1], image[2], image[3], prefix, image[2], tag)
		}
	}
	if len(found) != 4 {
		t.Errorf("%s: got the images %v, want those of the services and the gateway", what, slices.Sorted(maps.Keys(found)))
	}
}

func renderedText(t *testing.T, values map[string]any) string {
	t.Helper()
	rendered, err := render(root, values)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(slices.Collect(maps.Values(rendered)), "\n")
}

// TestNamespaceIsNotRendered checks that the rendered objects are the same for every namespace, so that the plain
// manifests work in any namespace.
func TestNamespaceIsNotRendered(t *testing.T) {
	for _, values := range []string{"{}", "{backup: {enabled: true, snapshotClass: some}, redis: {replicas: 3}}"} {
		one, err := renderAs(root, release, "default", parse(t, values))
		if err != nil {
			t.Fatal(err)
		}
		other, err := renderAs(root, release, "other", parse(t, values))
		if err != nil {
			t.Fatal(err)
		}
		for name := range one {
			if one[name] != other[name] {
				t.Errorf("with values %s: %s differs between namespaces, want the same objects", values, name)
			}
		}
	}
}

// TestNamesAgree checks that the chart with each values file, the plain manifests and deploy.sh name the images that CI
// publishes. TestComposeNames and TestPublishedChart check the names in docker-compose.yml and in the published chart.
func TestNamesAgree(t *testing.T) {
	version := appVersion(t)
	ci, err := publishes(t, "v"+version)
	if err != nil || ci["IMAGE_TAG"] != version || ci["LATEST"] != "1" || ci["VERSION"] != version {
		t.Fatalf(".ci/names for v%s: got %v, error %v; want this version, and LATEST=1", version, ci, err)
	}
	prefix := ci["IMAGE_PREFIX"]
	if prefix != "ghcr.io/some-org/checkout-" || ci["CHART"] != "ghcr.io/some-org/charts" {
		t.Errorf(".ci/names: got %v, want IMAGE_PREFIX and CHART to begin with ghcr.io/some-org in lower case", ci)
	}
	if _, err := publishes(t, "v99.0.0"); err == nil {
		t.Errorf(".ci/names accepts a tag that is not the version of the chart, want an error")
	}

	for _, file := range valuesFiles {
		values := read(t, file)
		tag := version
		if file == "k8s/minikube.yaml" {
			tag = "latest" // images that were built on the host
		}
		wantImages(t, "values file "+file, renderedText(t, values), "checkout-", tag)
		values["image"] = chartutil.CoalesceTables(map[string]any{"prefix": prefix}, parse(t, "tag: "+tag))
		wantImages(t, "values file "+file+" with a prefix", renderedText(t, values), prefix, tag)
	}
	for _, m := range plainManifests {
		var all []byte
		for file := range m.files {
			text, err := os.ReadFile(filepath.Join(root, m.dir, file))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
		wantImages(t, m.dir, string(all), "checkout-", map[string]string{"k8s/kube": "latest", "gke/kube": version}[m.dir])
	}

	calls, output, err := newCloud(t).run("deploy.sh", []string{"2"}, "IMAGE_PREFIX="+prefix)
	if err != nil || !strings.Contains(strings.Join(calls, "\n"), "image.prefix="+prefix) {
		t.Errorf("deploy.sh: ran %q, error %v, want a helm command that sets image.prefix; output:\n%s", calls,
			err, output)
	}
}

// TestComposeNames checks the name, target and version of each image that docker-compose.yml builds. CI publishes
// these images.
func TestComposeNames(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Image string
			Build *struct {
				Target string
				Args   map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	var built []string
	for name, service := range compose.Services {
		if service.Build == nil {
			continue
		}
		built = append(built, name)
		want := "${IMAGE_PREFIX:-checkout-}" + name + ":${IMAGE_TAG:-latest}"
		if service.Image != want || service.Build.Target != name {
			t.Errorf("docker-compose.yml: service %s has image %s and target %s, want image %s and a target of this name",
				name, service.Image, service.Build.Target, want)
		}
		if name != "gateway" && service.Build.Args["VERSION"] != "${VERSION:-devel}" {
			t.Errorf("docker-compose.yml: the version of %s is %q, want ${VERSION:-devel}", name, service.Build.Args["VERSION"])
		}
	}
	if slices.Sort(built); !slices.Equal(built, []string{"gateway", "keeper", "order", "payment", "stock"}) {
		t.Errorf("docker-compose.yml builds %v, want the five images that CI publishes", built)
	}
}

// TestDemoPullsWhatComposeBuilds checks that compose.demo.yml is docker-compose.yml without builds. `make
// test-compose` also compares the output of docker compose for the two files.
func TestDemoPullsWhatComposeBuilds(t *testing.T) {
	demo := read(t, "compose.demo.yml")
	include := []any{map[string]any{"path": []any{"docker-compose.yml", "compose/demo.yml"}}}
	if !reflect.DeepEqual(demo["include"], include) || len(demo) != 2 || demo["name"] != "checkout" {
		t.Errorf("compose.demo.yml: got %v, want only the name checkout and the include %v", demo, include)
	}
	base := read(t, "docker-compose.yml")["services"].(map[string]any)
	changes := read(t, "compose/demo.yml")["services"].(map[string]any)
	required := regexp.MustCompile(`\{IMAGE_PREFIX:\?[^}]+}`)
	prefixes := 0
	for name, service := range base {
		service := service.(map[string]any)
		change, _ := changes[name].(map[string]any)
		if _, built := service["build"]; built != (change != nil) {
			t.Errorf("%s: built by docker-compose.yml: %t, changes in compose/demo.yml: %v; want both or neither",
				name, built, change)
		}
		if image, ok := change["image"].(string); ok {
			prefixes += len(required.FindAllString(image, -1))
			if got := required.ReplaceAllString(image, "{IMAGE_PREFIX:-checkout-}"); got != service["image"] {
				t.Errorf("%s: compose/demo.yml has the image %s, and docker-compose.yml %s; only IMAGE_PREFIX may differ",
					name, image, service["image"])
			}
			delete(change, "image")
		}
		if _, ok := change["build"]; change != nil && (!ok || len(change) != 1) {
			t.Errorf("%s: compose/demo.yml changes %v, want build and image only", name, change)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "compose/demo.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if resets := strings.Count(string(text), "build: !reset null"); resets != len(changes) || prefixes != 1 {
		t.Errorf("compose/demo.yml: got %d times `build: !reset null` and %d checks of IMAGE_PREFIX, want %d and 1",
			resets, prefixes, len(changes))
	}
}

// TestDevContainerHasTheGoOfCI checks that the development container has the Go and Debian release that CI uses.
func TestDevContainerHasTheGoOfCI(t *testing.T) {
	image, _ := read(t, ".devcontainer/devcontainer.json")["image"].(string)
	_, release, _ := strings.Cut(image, "/go:")
	ci, err := os.ReadFile(filepath.Join(root, ".github/workflows/ci.yml"))
	if err != nil || release == "" || !strings.Contains(string(ci), "image: golang:"+release+"\n") {
		t.Errorf(".devcontainer/devcontainer.json: got image %s, want the golang release of CI (error %v)", image, err)
	}
}

// TestPublishedChart checks that the chart that CI publishes is complete and names the images that CI publishes.
func TestPublishedChart(t *testing.T) {
	version := appVersion(t)
	ci, err := publishes(t, "v"+version)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("make", "-C", root, "--no-print-directory", "chart-package", "PACKAGES="+dir,
		"SOURCE_URL=https://git.example/shop/")
	cmd.Env = append(os.Environ(), "IMAGE_PREFIX="+ci["IMAGE_PREFIX"])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make chart-package: %v\n%s", err, out)
	}
	published, err := loader.Load(filepath.Join(dir, "chart.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	if published.Metadata.Version != version || published.Metadata.AppVersion != version {
		t.Errorf("published chart: got version %s and appVersion %s, want %s for both", published.Metadata.Version,
			published.Metadata.AppVersion, version)
	}
	source, err := loader.Load(filepath.Join(root, chartDir))
	if err != nil {
		t.Fatal(err)
	}
	if got := published.Values["image"].(map[string]any)["prefix"]; got != ci["IMAGE_PREFIX"] {
		t.Errorf("published chart: image.prefix is %v, want %s", got, ci["IMAGE_PREFIX"])
	}
	if got := published.Values["observability"].(map[string]any)["sourceURL"]; got != "https://git.example/shop/" {
		t.Errorf("published chart: observability.sourceURL is %v, want https://git.example/shop/", got)
	}
	files := map[string]string{}
	for _, file := range published.Raw {
		files[file.Name] = string(file.Data)
	}
	for _, file := range source.Raw {
		if file.Name != "values.yaml" && files[file.Name] != string(file.Data) {
			t.Errorf("published chart: %s is not the same as in %s", file.Name, chartDir)
		}
	}
	if len(published.Raw) != len(source.Raw) {
		t.Errorf("published chart: got %d files, want %d", len(published.Raw), len(source.Raw))
	}
}

// TestKustomizations checks that the committed kustomizations list the manifests. TestPlainManifestsAreUpToDate checks
// that the folders for `kubectl apply -f` contain no kustomization.
func TestKustomizations(t *testing.T) {
	for _, m := range plainManifests {
		path, want := m.kustomization()
		if got, err := os.ReadFile(filepath.Join(root, path)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from the list of manifests (%v): run `make manifests`", path, err)
		}
	}
}
