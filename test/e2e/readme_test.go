package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"checkout/test/stack"
)

// TestREADME runs what README says to try: every block marked sh of the section, in one shell.
func TestREADME(t *testing.T) {
	t.Parallel()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## Try it\n")
	section, _, _ = strings.Cut(section, "\n## ")
	script := "set -euo pipefail\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		script += block[1]
	}
	if lines := strings.Count(script, "curl "); lines < 20 || lines != strings.Count(section, "curl ") {
		t.Fatalf("%d of the %d curl lines of the section are in blocks to be run", lines, strings.Count(section, "curl "))
	}
	s := start(t, stack.Config{})
	script = strings.ReplaceAll(script, "localhost:8000", strings.TrimPrefix(s.Stack.Gateway(), "http://"))
	script = strings.ReplaceAll(script, "\ncurl ", "\necho; curl ")
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v, after:\n%s", err, out)
	}
	for _, answer := range []string{`"paid":true`, `"status":"PAID"`, `"credit":90`, `"stock":8`, `"credit":100`, `"machine":"1/1"`} {
		if !strings.Contains(string(out), answer) {
			t.Errorf("nothing has answered %s:\n%s", answer, out)
		}
	}
}
