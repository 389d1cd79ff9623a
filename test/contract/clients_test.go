package contract

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"checkout/test/npm"
	"checkout/test/stack"
)

const (
	oapiCodegen       = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
	oapiRuntime       = "github.com/oapi-codegen/runtime@v1.8.0" // imported by the generated client
	openAPITypescript = "openapi-typescript@7.13.0"
	openAPIFetch      = "openapi-fetch@0.17.0"
	typescript        = "typescript@5.9.3"
	nodeTypes         = "@types/node@20.19.43"
)

// wantOutput is the output of each client in testdata/client. A client has a credit of 100 and buys two pieces at a
// price of 5. Then it tries to add an item to the paid order and gets an error.
const wantOutput = "true PAID 10 90 /problems/order-not-open"

// startSystem starts a system and returns the address of its gateway.
func startSystem(t *testing.T) string {
	t.Helper()
	s, err := stack.Start(context.Background(), stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return s.Gateway()
}

// copyClient copies a file of testdata/client into a folder.
func copyClient(t *testing.T, name, folder string) {
	t.Helper()
	text, err := os.ReadFile("testdata/client/" + name)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestGoClient checks that oapi-codegen generates a client with a method for each route, and that the client can buy
// from a running system.
func TestGoClient(t *testing.T) {
	t.Parallel()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	root, _ := stack.Root()
	code := npm.Run(t, root, "go", "run", oapiCodegen, "-generate", "types,client", "-package", "client",
		"order/site/openapi.json")
	methods := regexp.MustCompile(`(?m)^func \(c \*Client\) ([A-Z]\w*)\(ctx context.Context`).FindAllString(code, -1)
	if want := len(d.Routes()); len(methods) != want {
		t.Errorf("the client has %d methods, want one for each of %d routes", len(methods), want)
	}
	for _, part := range []string{
		"type Order struct", "TotalCost int64", "type Problem struct", "IdempotencyKey *IdempotencyKey",
	} {
		if !regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(part), " ", `\s+`)).MatchString(code) {
			t.Errorf("the client lacks %q", part)
		}
	}
	module := t.TempDir()
	copyClient(t, "main.go", module)
	if err := os.Mkdir(filepath.Join(module, "client"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(module, "client/client.go"), []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	npm.Run(t, module, "go", "mod", "init", "example")
	npm.Run(t, module, "go", "get", oapiRuntime)
	npm.Run(t, module, "go", "vet", "./...")
	if output := npm.Run(t, module, "go", "run", ".", startSystem(t)); strings.TrimSpace(output) != wantOutput {
		t.Errorf("the client prints %q, want %q", output, wantOutput)
	}
}

// TestTypeScriptClient checks that openapi-typescript generates types for every path, and that a program with these
// types can buy from a running system.
func TestTypeScriptClient(t *testing.T) {
	t.Parallel()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	root, _ := stack.Root()
	project := t.TempDir()
	to := filepath.Join(project, "api.d.ts")
	npm.Run(t, project, "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefer-offline",
		openAPITypescript, openAPIFetch, typescript, nodeTypes)
	npm.Run(t, project, "npx", "openapi-typescript", filepath.Join(root, "order/site/openapi.json"), "-o", to)
	code, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.paths {
		if !bytes.Contains(code, []byte(`"`+p.template+`": {`)) {
			t.Errorf("the types lack the path %s", p.template)
		}
	}
	copyClient(t, "shop.ts", project)
	npm.Run(t, project, "npm", "pkg", "set", "type=module")
	npm.Run(t, project, "npx", "tsc", "--strict", "--target", "es2022", "--module", "esnext",
		"--moduleResolution", "bundler", "--types", "node", "shop.ts")
	if output := npm.Run(t, project, "node", "shop.js", startSystem(t)); strings.TrimSpace(output) != wantOutput {
		t.Errorf("the client prints %q, want %q", output, wantOutput)
	}
}

func TestVendoredFilesMatchThePublishedPackage(t *testing.T) {
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
	pinned := regexp.MustCompile("`([a-z-]+)` ([0-9.]+[0-9])").FindStringSubmatch(string(readme))
	if pinned == nil {
		t.Fatalf("find package and version in the README: %s", readme)
	}
	published := npm.Unpack(t, pinned[1]+"@"+pinned[2])
	files, err := filepath.Glob(folder + "/*.gz")
	if err != nil || len(files) != 2 {
		t.Fatalf("found the files %q, want 2; error %v", files, err)
	}
	for _, file := range files {
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
			t.Errorf("%s differs from the published file, error %v", file, err)
		}
	}
}
