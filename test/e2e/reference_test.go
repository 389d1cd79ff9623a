package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"checkout/test/stack"
)

// TestDataModelNamesEveryScript checks that docs/data-model.md or docs/protocol.md names each Lua script.
func TestDataModelNamesEveryScript(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	text := readDocument(t, root, "docs/data-model.md") + readDocument(t, root, "docs/protocol.md")
	scripts := 0
	for _, folder := range []string{"order", "stock", "payment", "common"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".lua" {
				return err
			}
			scripts++
			if name := strings.TrimSuffix(filepath.Base(path), ".lua"); !strings.Contains(text, "`"+name+"`") {
				t.Errorf("neither docs/data-model.md nor docs/protocol.md names the script %s", name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if scripts < 20 {
		t.Errorf("found only %d scripts, want at least 20", scripts)
	}
}

// TestDataModelNamesEveryKey checks that docs/data-model.md documents the form of every key in Redis. The test first
// creates objects of every kind.
func TestDataModelNamesEveryKey(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, stack.Config{})
	runTour(t, s, readDocument(t, root, "docs/api.md"), "A tour")
	text := readDocument(t, root, "docs/data-model.md")
	known := map[string]bool{}
	for _, found := range regexp.MustCompile("`\\{(\\w)\\}([a-z]+:?)").FindAllStringSubmatch(text, -1) {
		known[found[1]+" "+found[2]] = true
	}
	form := regexp.MustCompile(`^\{([osp])\d+\}([a-z]+:?)`)
	seen := map[string]bool{}
	for _, service := range stack.Services() {
		keys, err := s.shards[service][0].Keys(t.Context(), "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			parts := form.FindStringSubmatch(key)
			if key == "identity" {
				continue // no hash tag; the document has a section about this key
			}
			if parts == nil {
				t.Errorf("the key %q of %s does not begin with a hash tag and a name", key, service)
				continue
			}
			seen[parts[2]] = true
			if !known[parts[1]+" "+parts[2]] && !known["x "+parts[2]] {
				t.Errorf("docs/data-model.md does not document the form of the key %q of %s", key, service)
			}
		}
	}
	for _, name := range []string{
		"o:", "orders", "orders:", "r:", "i:", "p:", "u:", "d:", "k:", "batch", "growth", "seq",
	} {
		if !seen[name] {
			t.Errorf("the tour left no key %s in Redis; found only %v", name, seen)
		}
	}
}

// TestAPIPageIsComplete checks that docs/api.md lists every route and problem of the services and the gateway.
func TestAPIPageIsComplete(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	page := readDocument(t, root, "docs/api.md")
	listed := strings.ReplaceAll(page, "[/{quantity}]", "/{quantity}") + strings.ReplaceAll(page, "[/{quantity}]", "")
	openapi := readDocument(t, root, "order/site/openapi.json")
	var api struct{ Paths map[string]any }
	if err := json.Unmarshal([]byte(openapi), &api); err != nil {
		t.Fatal(err)
	}
	service := regexp.MustCompile(`^/(orders|stock|payment)/.`)
	routes := 0
	for path := range api.Paths {
		if service.MatchString(path) {
			routes++
			if !regexp.MustCompile(regexp.QuoteMeta(path) + `[\s,]`).MatchString(listed) {
				t.Errorf("docs/api.md does not list %s", path)
			}
		}
	}
	problems := map[string]bool{}
	sources := openapi + readDocument(t, root, "nginx.conf")
	for _, found := range regexp.MustCompile(`/problems/[a-z-]+`).FindAllString(sources, -1) {
		problems[found] = true
		if !regexp.MustCompile(found + `[\s,]`).MatchString(page) {
			t.Errorf("docs/api.md does not list %s", found)
		}
	}
	if routes < 20 || len(problems) < 20 {
		t.Errorf("found %d routes and %d problems, want at least 20 of each", routes, len(problems))
	}
}

// TestFrontPage checks that README.md has at most 150 lines, that the picture of the console has at most 300 kB, and
// that the index of decision records is complete.
func TestFrontPage(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(readDocument(t, root, "README.md"), "\n"); lines > 150 {
		t.Errorf("README.md has %d lines, more than 150", lines)
	}
	picture, err := os.Stat(filepath.Join(root, "docs/images/console.png"))
	if err != nil || picture.Size() > 300_000 {
		t.Errorf("docs/images/console.png is missing or larger than 300 kB; error %v", err)
	}
	records, err := filepath.Glob(filepath.Join(root, "docs/adr/0*.md"))
	if err != nil || len(records) < 15 {
		t.Errorf("found only %d decision records, want at least 15; error %v", len(records), err)
	}
	index := readDocument(t, root, "docs/adr/README.md")
	for _, record := range records {
		if !strings.Contains(index, "("+filepath.Base(record)+")") {
			t.Errorf("docs/adr/README.md does not list %s", filepath.Base(record))
		}
	}
}
