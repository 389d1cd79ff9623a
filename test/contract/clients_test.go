package contract

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"checkout/test/npm"
	"checkout/test/stack"
)

const (
	oapiCodegen       = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
	openAPITypescript = "openapi-typescript@7.13.0"
)

// A typed client for Go can be generated, and it has a method for each route.
func TestGoClient(t *testing.T) {
	t.Parallel()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	root, _ := stack.Root()
	code := npm.Run(t, root, "go", "run", oapiCodegen, "-generate", "types,client", "-package", "client", "order/site/openapi.json")
	methods := regexp.MustCompile(`(?m)^func \(c \*Client\) ([A-Z]\w*)\(ctx context.Context`).FindAllString(code, -1)
	if want := len(d.Routes()); len(methods) != want {
		t.Errorf("the client has %d methods for %d routes", len(methods), want)
	}
	for _, part := range []string{"type Order struct", "TotalCost int64", "type Problem struct", "IdempotencyKey *IdempotencyKey"} {
		if !regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(part), " ", `\s+`)).MatchString(code) {
			t.Errorf("the client has no %q", part)
		}
	}
}

// Types for TypeScript can be generated, and they know every path.
func TestTypeScriptTypes(t *testing.T) {
	t.Parallel()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	root, _ := stack.Root()
	to := filepath.Join(t.TempDir(), "api.d.ts")
	npm.Run(t, t.TempDir(), "npx", "--yes", openAPITypescript, filepath.Join(root, "order/site/openapi.json"), "-o", to)
	code, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.paths {
		if !bytes.Contains(code, []byte(`"`+p.template+`": {`)) {
			t.Errorf("the types do not know %s", p.template)
		}
	}
}

// What is kept of an npm package is what is published in the version that its README names.
func TestVendored(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, "order/site/vendor")
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z-]+)` ([0-9.]+[0-9])").FindStringSubmatch(string(readme))
	if named == nil {
		t.Fatalf("no package is named in %s", readme)
	}
	published := npm.Unpack(t, named[1]+"@"+named[2])
	kept, err := filepath.Glob(folder + "/*.gz")
	if err != nil || len(kept) != 2 {
		t.Fatal(kept, err)
	}
	for _, file := range kept {
		zipped, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer zipped.Close()
		plain, err := gzip.NewReader(zipped)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(plain)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(published, strings.TrimSuffix(filepath.Base(file), ".gz")))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what is published, %v", file, err)
		}
	}
}
