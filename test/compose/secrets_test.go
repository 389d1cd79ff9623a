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
	"testing/iotest"

	"checkout/test/stack"
)

// planted is a secret where it must not come into an image from: the environment of the build, and files that people
// keep beside the sources.
const planted = "s3cr3t-that-stays-here"

// hiding is where people keep secrets, and what else lies about.
var hiding = []string{
	".env", ".git/config", ".netrc", "data/redis-order-0/appendonly.aof", "docker-compose.override.yml", "bin/up", "k8s/my-values.yaml", "compose/.env",
	"compose/restore.key", "order/.env", "order/.env.local", "stock/tls.key", "payment/server.pem", "common/web/.secrets/token", "common/testredis/tls/ca.key",
	"order/testdata/session", "order/my_test.go", "test/compose/password",
}

// plant lays a copy of what the images are made of into a new folder, with a secret in every hiding place, and returns
// the folder.
func plant(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{".dockerignore", "go.mod", "go.sum", "nginx.conf", "compose", "common", "order", "stock", "payment"} {
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
	for _, name := range hiding {
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

// TestNoSecretComesToDocker: Docker is given what the images are made of, and none of the hiding places; nothing that
// it is given holds the secret.
func TestNoSecretComesToDocker(t *testing.T) {
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	context := filepath.Join(t.TempDir(), "context")
	given := copyContext(t, plant(t, root), context)
	for _, name := range []string{"go.mod", "common/idempotency/lua/once.lua", "order/checkout.go", "nginx.conf", "compose/upstreams.conf", "compose/listen.conf", "compose/gateway"} {
		if !slices.Contains(given, name) {
			t.Errorf("%s does not come to Docker", name)
		}
	}
	for _, name := range given {
		if slices.Contains(hiding, name) {
			t.Errorf("%s comes to Docker", name)
		}
		holdsNoSecret(t, filepath.Join(context, name))
	}
}

func holdsNoSecret(t *testing.T, name string) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if n, found, err := search(file, []byte(planted)); found || err != nil {
		t.Errorf("%s: %d bytes, the secret is there: %v, %v", name, n, found, err)
	}
}

var (
	instruction = regexp.MustCompile(`(?m)^\s*(ARG|ENV|COPY|ADD|LABEL|FROM|RUN)\s+(.*)$`)
	buildArgs   = regexp.MustCompile(`build: .*`)
)

// TestTheDockerfileTakesNoSecret: whatever an ARG or ENV holds can be read from the image, or from how it was made. So
// there are none but these; nor is anything copied but what is named.
func TestTheDockerfileTakesNoSecret(t *testing.T) {
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
			"go.mod go.sum ./", "common common", "order order", "stock stock", "payment payment",
			"--from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/", "--from=build /out/order /order", "--from=build /out/stock /stock",
			"--from=build /out/payment /payment",
			"--chmod=444 nginx.conf compose/upstreams.conf compose/listen.conf /etc/nginx/", "--chmod=555 compose/gateway /usr/local/bin/gateway",
		},
		"ADD": {},
	}
	seen := map[string]int{}
	for _, found := range instruction.FindAllStringSubmatch(string(text), -1) {
		seen[found[1]]++
		if list, limited := allowed[found[1]]; limited && !slices.Contains(list, strings.TrimSpace(found[2])) {
			t.Errorf("who adds %q to the Dockerfile has seen to it that it brings no secret into an image, and adds it to this test", found[0])
		}
	}
	if seen["ARG"] != 2 || seen["ENV"] != 1 || seen["COPY"] != 11 {
		t.Errorf("the Dockerfile was not read as this test expects: %v", seen)
	}
	compose, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	builds := buildArgs.FindAllString(string(compose), -1)
	for _, build := range builds {
		_, args, _ := strings.Cut(build, "args:")
		if args != "" && args != ` {VERSION: "${IMAGE_TAG:-devel}"}}` {
			t.Errorf("who adds an argument to %q has seen to it that it is no secret, and adds it to this test", build)
		}
	}
	if len(builds) != 4 {
		t.Errorf("docker-compose.yml was not read as this test expects: %q", builds)
	}
}

// TestSearchImage shows that a word is found in what docker save writes: in a layer, packed or not, across the search's
// own blocks, and in the image's configuration.
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
		{"nowhere in a packed layer", pack(filler), "{}", ""},
		{"in the configuration", filler, `{"Env":["REDIS_PASSWORD=` + word + `"]}`, "config.json"},
		{"in a layer", filler + word + filler, "{}", "layer.tar"},
		{"in a packed layer", pack(filler + word + filler), "{}", "layer.tar"},
		{"at the end of a packed layer", pack(filler + word), "{}", "layer.tar"},
		{"a part of it", filler + word[:len(word)-1], "{}", ""},
		{"across two blocks", strings.Repeat("x", 1<<16-3) + word, "{}", "layer.tar"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, file := range [][2]string{{"layer.tar", c.layer}, {"config.json", c.config}} {
				w.WriteHeader(&tar.Header{Name: file[0], Size: int64(len(file[1])), Mode: 0o644})
				io.WriteString(w, file[1])
			}
			w.Close()
			for _, r := range []io.Reader{bytes.NewReader(b.Bytes()), iotest.OneByteReader(bytes.NewReader(b.Bytes()))} {
				if _, where, err := searchImage(r, word); where != c.want || err != nil {
					t.Errorf("found in %q, %v, want %q", where, err, c.want)
				}
			}
		})
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "layer", Size: 4, Mode: 0o644})
	w.Write([]byte{0x28, 0xb5, 0x2f, 0xfd})
	w.Close()
	if _, _, err := searchImage(&b, word); err == nil {
		t.Error("a layer in which it cannot search was passed over")
	}
}
