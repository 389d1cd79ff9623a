package main

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"testing"

	"checkout/test/stack"
)

// buildLine matches the Dockerfile's command that builds the services.
var buildLine = regexp.MustCompile(
	`CGO_ENABLED=0 GOOS=\$TARGETOS GOARCH=\$TARGETARCH \\\n\s+go build (.*) -o /out/ (.*)\n`)

// TestBuildForAnotherPlatform checks that two builds for another platform produce equal binaries. The first build is
// in the repository, the second one in a copy of the build context. Both use the Dockerfile's command. The second
// build has a secret in its environment and next to its sources. The binaries must be static and small, and must not
// contain the secret.
func TestBuildForAnotherPlatform(t *testing.T) {
	if testing.Short() {
		t.Skip("make test-compose runs this test")
	}
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	match := buildLine.FindSubmatch(dockerfile)
	if match == nil {
		t.Fatal("parse Dockerfile: no build command matches buildLine")
	}
	flags, packages := string(match[1]), string(match[2])
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	copyContext(t, plant(t, root), elsewhere)
	arch, machine := "arm64", elf.EM_AARCH64
	if runtime.GOARCH == arch {
		arch, machine = "amd64", elf.EM_X86_64
	}
	first, second := build(t, root, arch, flags, packages), build(t, elsewhere, arch, flags, packages,
		"REDIS_PASSWORD="+planted)
	for _, service := range slices.Concat(services, []string{"keeper"}) {
		checkBinary(t, filepath.Join(first, service), machine)
		if !bytes.Equal(digest(t, filepath.Join(first, service)), digest(t, filepath.Join(second, service))) {
			t.Errorf("build %s in two folders: the binaries differ", service)
		}
		holdsNoSecret(t, filepath.Join(second, service))
	}
}

func build(t *testing.T, source, arch, flags, packages string, env ...string) string {
	t.Helper()
	into := t.TempDir()
	cmd := exec.Command("sh", "-c", "go build "+flags+" -o "+into+"/ "+packages)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return into
}

func checkBinary(t *testing.T, path string, machine elf.Machine) {
	t.Helper()
	binary, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if binary.Machine != machine {
		t.Errorf("check %s: the ELF machine type is %v, want %v", path, binary.Machine, machine)
	}
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("check %s: got a dynamically linked binary, want a static binary", path)
		}
	}
	if binary.Section(".symtab") != nil || binary.Section(".debug_info") != nil {
		t.Errorf("check %s: got a binary with symbols, want a stripped binary", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxImage-certificates {
		t.Errorf("check %s: %d bytes, want at most %.0f", path, info.Size(), maxImage-certificates)
	}
}

func digest(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		t.Fatal(err)
	}
	return h.Sum(nil)
}
