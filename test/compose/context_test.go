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

// ignore is a line of a .dockerignore file.
type ignore struct {
	matches *regexp.Regexp
	except  bool // the line starts with "!": the build context includes files that match the pattern after "!"
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
		pattern, except := strings.CutPrefix(line, "!")
		pattern = regexp.QuoteMeta(path.Clean(strings.TrimPrefix(pattern, "/")))
		pattern = strings.NewReplacer(`\*\*/`, `(.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`, `\?`, `[^/]`).Replace(pattern)
		// A pattern that matches a folder also matches everything in the folder.
		lines = append(lines, ignore{regexp.MustCompile("^" + pattern + "(/.*)?$"), except})
	}
	return lines
}

// inContext reports whether a file is in the build context. The last line that matches decides.
func inContext(lines []ignore, name string) bool {
	in := true
	for _, line := range lines {
		if line.matches.MatchString(name) {
			in = line.except
		}
	}
	return in
}

// copyContext copies the build context from one folder to another. It returns the sorted names of the copied files.
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

// TestDockerignore checks that ignores and inContext implement the documented format of .dockerignore files.
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
			t.Errorf("%s in the build context: got %v, want %v", name, got, want)
		}
	}
}
