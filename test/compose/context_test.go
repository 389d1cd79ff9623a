package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ignore is one line of a .dockerignore file.
type ignore struct {
	matches *regexp.Regexp
	but     bool // the line is an exception to earlier lines
}

// ignores reads a .dockerignore file.
func ignores(t *testing.T, file string) (lines []ignore) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, but := strings.CutPrefix(line, "!")
		pattern = regexp.QuoteMeta(path.Clean(strings.TrimPrefix(pattern, "/")))
		pattern = strings.NewReplacer(`\*\*/`, `(.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`, `\?`, `[^/]`).Replace(pattern)
		// A pattern that matches a folder matches everything in it.
		lines = append(lines, ignore{regexp.MustCompile("^" + pattern + "(/.*)?$"), but})
	}
	return lines
}

// inContext reports whether a file is part of the build context. The last matching line decides.
func inContext(lines []ignore, name string) bool {
	in := true
	for _, line := range lines {
		if line.matches.MatchString(name) {
			in = line.but
		}
	}
	return in
}

// copyContext copies the build context of a folder into another folder.
func copyContext(t *testing.T, from, into string) (names []string) {
	t.Helper()
	lines := ignores(t, filepath.Join(from, ".dockerignore"))
	err := filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, file)
		if err != nil || entry.IsDir() || !inContext(lines, filepath.ToSlash(name)) {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		names = append(names, name)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(into, name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(into, name), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// TestDockerignore checks that this package reads .dockerignore files as Docker documents them.
func TestDockerignore(t *testing.T) {
	dir := t.TempDir()
	text := "# comment\n*\n!order\n!compose/*.conf\n**/.*\norder/testdata\n**/*_test.go\n"
	if err := os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	lines := ignores(t, filepath.Join(dir, ".dockerignore"))
	for name, want := range map[string]bool{
		"order/main.go": true, "order/store/lua/begin.lua": true, "compose/listen.conf": true,
		"data/x": false, ".env": false, "order/.env": false, "order/.aws/credentials": false,
		"order/testdata/a/b": false, "order/main_test.go": false,
		"compose/a/b.conf": false, "compose/gateway": false, "orders": false,
	} {
		if got := inContext(lines, name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
