package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"checkout/test/stack"
)

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code     = regexp.MustCompile("(?ms)^```.*?^```|^    [^\n]*|`[^`\n]+`")
	target   = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]*)`)
	ownPath  = regexp.MustCompile(`(?:^|[\s"'=` + "`" + `(])((?:k8s|gke|gke-scale|compose|test|common)/[\w./-]+\w)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noLetter = regexp.MustCompile(`[^\w -]`)
)

// TestDocuments holds every document against the repository: links lead somewhere, paths in commands exist, and so do make's
// targets.
func TestDocuments(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var documents []string
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "bin" || entry.Name() == "data" || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".md" && entry.Name() != "REPORT.md" && entry.Name() != "RESULT.md" { // those are of their day
			documents = append(documents, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	links, paths, targets := 0, 0, 0
	for _, document := range documents {
		bytes, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		name, text := strings.TrimPrefix(document, root+"/"), string(bytes)
		exists := func(path string) bool {
			_, besides := os.Stat(filepath.Join(filepath.Dir(document), path))
			_, below := os.Stat(filepath.Join(root, path))
			return besides == nil || below == nil
		}
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			path, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			links++
			if path != "" && !exists(path) {
				t.Errorf("%s links to %s, which does not exist", name, path)
			}
			if path == "" && !hasHeading(text, anchor) {
				t.Errorf("%s links to its section %s, which does not exist", name, anchor)
			}
		}
		for _, span := range code.FindAllString(text, -1) {
			for _, found := range ownPath.FindAllStringSubmatch(span, -1) {
				paths++
				if !exists(found[1]) {
					t.Errorf("%s names %s, which does not exist", name, found[1])
				}
			}
			for _, found := range target.FindAllStringSubmatch(span, -1) {
				targets++
				if !strings.Contains(string(makefile), "\n"+found[1]+":") {
					t.Errorf("%s says make %s, and there is no such target", name, found[1])
				}
			}
		}
	}
	if links < 10 || paths < 20 || targets < 10 {
		t.Errorf("only %d links, %d paths and %d targets were found in %v", links, paths, targets, documents)
	}
}

// hasHeading tells whether a section's name makes this anchor.
func hasHeading(text, anchor string) bool {
	for _, found := range heading.FindAllStringSubmatch(text, -1) {
		if strings.ReplaceAll(noLetter.ReplaceAllString(strings.ToLower(found[1]), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
