package e2e

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"checkout/test/stack"
)

// TestDocumentedToursWork runs the commands that README.md and docs/api.md show.
func TestDocumentedToursWork(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, stack.Config{})
	for _, tour := range []struct {
		page, section string
		commands      int
		want          []string
	}{
		{"README.md", "Try it", 10, []string{`"paid":true`, `"status":"PAID"`, `"credit":90`, `"stock":8`}},
		{"docs/api.md", "A tour", 20, []string{
			`"paid":true`, `"status":"PAID"`, `"credit":90`, `"stock":8`, `"credit":100`, `"machine":"1/1"`,
		}},
	} {
		page := readDocument(t, root, tour.page)
		section := sectionOf(t, page, tour.section)
		commands := strings.Count(strings.Join(shellBlocks(section), ""), "curl ")
		if commands < tour.commands || commands != strings.Count(section, "curl ") {
			t.Errorf("%s: %d of %d curl commands are in blocks marked sh, want all of them and at least %d",
				tour.page, commands, strings.Count(section, "curl "), tour.commands)
		}
		out := runTour(t, s, page, tour.section)
		for _, response := range tour.want {
			if !strings.Contains(out, response) {
				t.Errorf("%s: no response contains %s:\n%s", tour.page, response, out)
			}
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, "}{") {
				t.Errorf("%s: two responses share the line %q", tour.page, line)
			}
		}
	}
}

// runTour runs all sh blocks of a section in one shell, with a running system. It returns the output.
func runTour(t *testing.T, s *system, page, section string) string {
	t.Helper()
	script := "set -euo pipefail\n" + strings.Join(shellBlocks(sectionOf(t, page, section)), "")
	script = strings.ReplaceAll(script, "localhost:8000", strings.TrimPrefix(s.Stack.Gateway(), "http://"))
	out, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v, after:\n%s", err, out)
	}
	return string(out)
}

func sectionOf(t *testing.T, page, title string) string {
	t.Helper()
	_, section, found := strings.Cut(page, "\n## "+title+"\n")
	if !found {
		t.Fatalf("no section is named %q", title)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

func shellBlocks(text string) []string {
	var blocks []string
	for _, found := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, found[1])
	}
	return blocks
}
