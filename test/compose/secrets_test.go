package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"checkout/test/stack"
)

// planted is a secret in the environment of a build and in files next to the sources. The secret must not reach an
// image.
const planted = "s3cr3t-that-stays-here"

// secretFiles must not reach an image: they are secret, or no image needs them.
var secretFiles = []string{
	".env", ".git/config", ".netrc", "data/redis-order-0/appendonly.aof", "docker-compose.override.yml", "bin/up",
	"k8s/my-values.yaml", "compose/.env", "compose/restore.key", "order/.env", "order/.env.local", "stock/tls.key",
	"payment/server.pem", "common/web/.secrets/token", "common/testredis/tls/ca.key",
	"order/testdata/session", "order/my_test.go", "test/compose/password",
}

// plant copies the sources of the images to a new folder and adds all secret files. It returns the folder.
func plant(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{".dockerignore", "go.mod", "go.sum", "nginx.conf", "compose", "common", "order",
		"stock", "payment", "keeper"} {
		from := filepath.Join(root, name)
		if info, err := os.Stat(from); err != nil {
			t.Fatal(err)
		} else if info.IsDir() {
			err = os.CopyFS(filepath.Join(dir, name), os.DirFS(from))
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range secretFiles {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(planted), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestBuildContextHasNoSecret checks that the build context contains the sources and none of the secret files.
func TestBuildContextHasNoSecret(t *testing.T) {
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	context := filepath.Join(t.TempDir(), "context")
	given := copyContext(t, plant(t, root), context)
	for _, name := range []string{"go.mod", "common/idempotency/lua/once.lua", "order/saga/coordinator.go", "nginx.conf",
		"compose/upstreams.conf", "compose/listen.conf", "compose/gateway"} {
		if !slices.Contains(given, name) {
			t.Errorf("build context: %s is missing", name)
		}
	}
	for _, name := range given {
		if slices.Contains(secretFiles, name) {
			t.Errorf("build context: contains %s", name)
		}
		holdsNoSecret(t, filepath.Join(context, name))
	}
}

func holdsNoSecret(t *testing.T, name string) {
	t.Helper()
	if text, err := os.ReadFile(name); err != nil || bytes.Contains(text, []byte(planted)) {
		t.Errorf("check %s: the file contains the secret or cannot be read: %v", name, err)
	}
}

var (
	instruction = regexp.MustCompile(`(?m)^\s*(ARG|ENV|COPY|ADD|LABEL|FROM|RUN)\s+(.*)$`)
	buildArgs   = regexp.MustCompile(`build: .*`)
)

// TestDockerfileTakesNoSecret checks that the Dockerfile has only known ARG, ENV and COPY instructions and no ADD, and
// that docker-compose.yml passes only known build arguments. An image reveals the values of ARG and ENV.
func TestDockerfileTakesNoSecret(t *testing.T) {
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string][]string{
		"ARG": {"TARGETOS TARGETARCH", "VERSION=devel"},
		"ENV": {"GIN_MODE=release GODEBUG=schedtrace=2147483647"},
		"COPY": {
			"go.mod go.sum ./", "common common", "order order", "stock stock", "payment payment", "keeper keeper",
			"--from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/", "--from=build /out/order /order",
			"--from=build /out/stock /stock",
			"--from=build /out/payment /payment", "--from=build /out/keeper /keeper",
			"--chmod=444 nginx.conf compose/upstreams.conf compose/listen.conf /etc/nginx/",
			"--chmod=555 compose/gateway /usr/local/bin/gateway",
		},
		"ADD": {},
	}
	seen := map[string]int{}
	for _, match := range instruction.FindAllStringSubmatch(string(text), -1) {
		seen[match[1]]++
		if list, limited := allowed[match[1]]; limited && !slices.Contains(list, strings.TrimSpace(match[2])) {
			t.Errorf("Dockerfile: unknown instruction %q: if it copies no secret, add it to this test", match[0])
		}
	}
	if seen["ARG"] != 2 || seen["ENV"] != 1 || seen["COPY"] != 13 {
		t.Errorf("Dockerfile: got numbers of instructions %v, want 2 ARG, 1 ENV, 13 COPY", seen)
	}
	compose, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	builds := buildArgs.FindAllString(string(compose), -1)
	for _, build := range builds {
		_, args, _ := strings.Cut(build, "args:")
		if args != "" && args != ` {VERSION: "${VERSION:-devel}"}}` {
			t.Errorf("docker-compose.yml: unknown build argument in %q: if it is no secret, add it to this test", build)
		}
	}
	if len(builds) != 5 {
		t.Errorf("docker-compose.yml: got builds %q, want 5", builds)
	}
}

// TestSearchImage checks that searchImage finds a word in the configuration and in a layer, compressed or not.
func TestSearchImage(t *testing.T) {
	const word = "not a secret 0123456789abcdef"
	pack := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		io.WriteString(w, text)
		w.Close()
		return b.String()
	}
	filler := strings.Repeat("layer", 30_000)
	for _, c := range []struct{ name, layer, config, want string }{
		{"nowhere", filler, "{}", ""},
		{"nowhere in a compressed layer", pack(filler), "{}", ""},
		{"in the configuration", filler, `{"Env":["REDIS_PASSWORD=` + word + `"]}`, "config.json"},
		{"in a layer", filler + word + filler, "{}", "layer.tar"},
		{"in a compressed layer", pack(filler + word + filler), "{}", "layer.tar"},
		{"at the end of a compressed layer", pack(filler + word), "{}", "layer.tar"},
		{"only a part of the word", filler + word[:len(word)-1], "{}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, file := range [][2]string{{"layer.tar", c.layer}, {"config.json", c.config}} {
				w.WriteHeader(&tar.Header{Name: file[0], Size: int64(len(file[1])), Mode: 0o644})
				io.WriteString(w, file[1])
			}
			w.Close()
			if _, where, err := searchImage(&b, word); where != c.want || err != nil {
				t.Errorf("search: got file %q, error %v, want %q", where, err, c.want)
			}
		})
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "layer", Size: 4, Mode: 0o644})
	w.Write([]byte{0x28, 0xb5, 0x2f, 0xfd})
	w.Close()
	if _, _, err := searchImage(&b, word); err == nil {
		t.Error("search a zstd layer: got no error, want one")
	}
}
