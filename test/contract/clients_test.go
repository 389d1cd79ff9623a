package contract

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// wantOutput is the output of both programs in docs/api.md.
const wantOutput = "true PAID 10 90 /problems/order-not-open"

// startSystem starts a system and returns the address of its gateway.
func startSystem(t *testing.T) string {
	t.Helper()
	s, err := stack.Start(context.Background(), stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.End(t) })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return s.Gateway()
}

// writeProgram finds the program of docs/api.md in the given language, and writes the program to a folder. It also
// checks that docs/api.md has wantOutput and the packages that the test uses.
func writeProgram(t *testing.T, language, folder, name string, packages ...string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(packages, "`"+wantOutput+"`") {
		if !bytes.Contains(page, []byte(text)) {
			t.Errorf("docs/api.md does not name %s", text)
		}
	}
	found := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllSubmatch(page, -1)
	if len(found) != 1 {
		t.Fatalf("docs/api.md has %d programs in %s, want 1", len(found), language)
	}
	if err := os.WriteFile(filepath.Join(folder, name), found[0][1], 0o644); err != nil {
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
			t.Errorf("the generated client does not contain %q", part)
		}
	}
	module := t.TempDir()
	writeProgram(t, "go", module, "main.go", oapiCodegen, oapiRuntime)
	if out := npm.Run(t, module, "gofmt", "-l", "."); out != "" {
		t.Error("the program in docs/api.md is not formatted by gofmt")
	}
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
// types can buy from a running system. The compiler must reject each marked statement of testdata/rejected.ts.
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
			t.Errorf("the generated types do not contain the path %s", p.template)
		}
	}
	writeProgram(t, "ts", project, "shop.ts", openAPITypescript, openAPIFetch, typescript, nodeTypes)
	rejected, err := os.ReadFile("testdata/rejected.ts")
	if err == nil {
		err = os.WriteFile(filepath.Join(project, "rejected.ts"), rejected, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	npm.Run(t, project, "npm", "pkg", "set", "type=module")
	npm.Run(t, project, "npx", "tsc", "--strict", "--target", "es2022", "--module", "esnext",
		"--moduleResolution", "bundler", "--types", "node", "shop.ts", "rejected.ts")
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
	readme := read(t, filepath.Join(folder, "README.md"))
	vendored, err := filepath.Glob(folder + "/*.gz")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z-]+)` ([0-9.]+) .*$").FindAllStringSubmatch(string(readme), -1)
	for _, row := range rows {
		published := npm.Unpack(t, row[1]+"@"+row[2])
		for _, path := range regexp.MustCompile("`([^`]+[.](?:js|css))`").FindAllStringSubmatch(row[0], -1) {
			file := filepath.Join(folder, filepath.Base(path[1])+".gz")
			vendored = slices.DeleteFunc(vendored, func(name string) bool { return name == file })
			if !bytes.Equal(gunzip(t, file), read(t, filepath.Join(published, path[1]))) {
				t.Errorf("%s differs from the published file", file)
			}
		}
		license := filepath.Join(folder, "LICENSE."+row[1])
		notice, _ := os.ReadFile(filepath.Join(published, "NOTICE")) // not every package has one
		if !bytes.Equal(read(t, license), append(read(t, filepath.Join(published, "LICENSE")), notice...)) {
			t.Errorf("%s differs from the published license and notice", license)
		}
	}
	if len(vendored) > 0 {
		t.Errorf("order/site/vendor/README.md does not list the files %q", vendored)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func gunzip(t *testing.T, file string) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
