package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"checkout/test/stack"
)

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code     = regexp.MustCompile("(?ms)^```.*?^```|^    [^\n]*|`[^`\n]+`")
	fence    = regexp.MustCompile("(?ms)^```.*?^```")
	target   = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]*)`)
	folders  = "k8s|gke|gke-scale|compose|test|common|docs|order|stock|payment"
	ownPath  = regexp.MustCompile(`(?:^|[\s"'=` + "`" + `(])((?:` + folders + `)/[\w./-]+\w)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noLetter = regexp.MustCompile(`[^\w -]`)
)

// document is a Markdown file of the repository.
type document struct{ name, text string }

// readDocuments returns every Markdown file of the repository, except generated and installed files. It also skips the
// folders named "results", because they describe earlier versions.
func readDocuments(t *testing.T, root string) []document {
	t.Helper()
	var all []document
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		skipped := slices.Contains([]string{"bin", "data", "node_modules", "results"}, entry.Name())
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || skipped) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		all = append(all, document{name, readDocument(t, root, name)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readDocument(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocumentsNameOnlyWhatExists checks that all links, anchors, paths and make targets in the documents
// exist.
func TestDocumentsNameOnlyWhatExists(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	makefile := readDocument(t, root, "Makefile")
	links, paths, targets := 0, 0, 0
	for _, d := range readDocuments(t, root) {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(d.text, ""), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			links++
			checkLink(t, root, d, found[1])
		}
		for _, span := range code.FindAllString(d.text, -1) {
			for _, found := range ownPath.FindAllStringSubmatch(span, -1) {
				paths++
				if !exists(root, found[1]) && !exists(filepath.Join(root, filepath.Dir(d.name)), found[1]) {
					t.Errorf("%s names %s, which does not exist", d.name, found[1])
				}
			}
			for _, found := range target.FindAllStringSubmatch(span, -1) {
				targets++
				if !strings.Contains(makefile, "\n"+found[1]+":") {
					t.Errorf("%s names the make target %s, which does not exist", d.name, found[1])
				}
			}
		}
	}
	if links < 100 || paths < 30 || targets < 30 {
		t.Errorf("found %d links, %d paths and %d make targets, want at least 100, 30 and 30", links, paths, targets)
	}
}

// checkLink checks that the target of a link exists. It resolves the link relative to its document, as GitHub does.
func checkLink(t *testing.T, root string, d document, to string) {
	t.Helper()
	path, anchor, _ := strings.Cut(to, "#")
	at := d.name
	if path != "" {
		at = filepath.Join(filepath.Dir(d.name), path)
	}
	if !exists(root, at) {
		t.Errorf("%s links to %s, which does not exist", d.name, to)
		return
	}
	if anchor != "" && !hasHeading(readDocument(t, root, at), anchor) {
		t.Errorf("%s links to %s, which has no such section", d.name, to)
	}
}

func exists(folder, path string) bool {
	_, err := os.Stat(filepath.Join(folder, path))
	return err == nil
}

// hasHeading reports whether GitHub gives this anchor to a heading of the text.
func hasHeading(text, anchor string) bool {
	for _, found := range heading.FindAllStringSubmatch(text, -1) {
		if strings.ReplaceAll(noLetter.ReplaceAllString(strings.ToLower(found[1]), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
